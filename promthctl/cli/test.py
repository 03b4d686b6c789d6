"""promthctl test: pgTAP files."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promthctl.cli.files import writable
from promthctl.cli.invocation import Invocation
from promthctl.cli.options import FromMigrations, with_target
from promthctl.cli.sources import target_or_migrations
from promthctl.cli.watch import WAITING, check_watch, tell
from promthctl.errors import PromthctlError
from promthctl.quantities import count
from promthctl.resolve.choice import TargetChoice

if TYPE_CHECKING:
    from promthctl.pgtap.files import TestFile
    from promthctl.pgtap.places import TestPlace
    from promthctl.pgtap.running import TestRun
    from promthctl.targets import Target

app = typer.Typer(add_completion=False)


@app.command("test")
@with_target
def command(
    context: typer.Context,
    choice: TargetChoice,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]…", help="Files, or folders of files. [default: supabase/tests]"),
    ] = None,
    from_migrations: FromMigrations = False,
    no_seed: Annotated[
        bool, typer.Option("--no-seed", help="Leave the seeds out, where the database is made from the migrations.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option("-j", "--jobs", metavar="N", min=1, max=64, help="How many files at once. [default: processors]"),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Also write the result as JUnit XML.")
    ] = None,
    new: Annotated[
        str | None, typer.Option("--new", metavar="NAME", help="Only write the beginning of a test to supabase/tests.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Run again what changes; all of it when a migration or a seed does.")
    ] = False,
) -> None:
    """Run pgTAP tests (*.sql and *.pg), as `supabase test db` does, without Docker.

    They run on a copy of the local stack's database; where no stack runs, on a throw-away database with the migrations
    and seeds. Files that begin and roll back by themselves run side by side, all others alone and in their order. Any
    other target, and the Docker engine's database, is tested itself: each file in a transaction that is rolled back,
    whatever it commits; you are asked first. Exit code 1 if a test fails, or a file breaks off or keeps no plan.
    """
    from promthctl.pgtap import files as test_files

    run: Invocation = context.obj
    if watch:
        check_watch(run)
    if new is not None:
        made = test_files.new_test(run.settings, new)
        from rich.markup import escape

        run.output.show({"file": str(made)}, lambda _: [f"Created {escape(str(made))}"])
        return
    report = writable(run.settings.project_dir / run.typed_path(junit), "--junit", "junit.xml") if junit else None
    named = [run.settings.project_dir / run.typed_path(path) for path in paths or ()]
    found = test_files.find_tests(run.settings, named)
    target = target_or_migrations(run, choice, from_migrations)
    if target is not None and not target.local:
        number = count(len(found), "test file")
        question = f"Run {number} on {target.label}? Each is rolled back; requests and sequences are not."
        run.confirm(question, "Nothing was tested")
    result = _run(run, target, found, no_seed, jobs, report)
    if watch:
        _watch(run, target, named, no_seed, jobs, report)
    if not result.passed:
        raise typer.Exit(1)


def _run(
    run: Invocation,
    target: Target | None,
    files: Sequence[TestFile],
    no_seed: bool,
    jobs: int | None,
    report: Path | None,
) -> TestRun:
    from promthctl.pgtap.running import Runner
    from promthctl.views import test as views

    with contextlib.ExitStack() as held:
        place = held.enter_context(_place(run, target, no_seed))
        runner = Runner(run.settings, place.target, place.guarded, jobs, place.pgtap)
        title = f"Running {count(len(files), 'test file')}"
        advance = held.enter_context(run.output.progress(title, len(files), tenths=False))
        result = runner.run(files, lambda done: advance(1, done.file))
    if report is not None:
        from promthctl.pgtap.junit import junit

        report.write_text(junit(result), encoding="utf-8")
        run.output.note(f"JUnit XML: {report}")
    run.output.show(result, views.test)
    return result


def _place(run: Invocation, target: Target | None, no_seed: bool) -> contextlib.AbstractContextManager[TestPlace]:
    from promthctl.pgtap import places

    if target is None:
        return places.from_migrations(run.settings, not no_seed, run.output)
    if target.local:
        return places.copied_stack(run.settings, target, run.output)
    return contextlib.nullcontext(places.guarded_target(target))


def _watch(
    run: Invocation,
    target: Target | None,
    named: Sequence[Path],
    no_seed: bool,
    jobs: int | None,
    report: Path | None,
) -> None:
    """Until it is interrupted; what cannot be run is said, and the next change is waited for."""
    from promthctl import seeds, watching
    from promthctl.migration_set import supabase_folder
    from promthctl.pgtap import files as test_files

    tests: list[Path] = []

    def watched() -> list[Path]:
        with contextlib.suppress(PromthctlError):  # a folder that cannot be read now has the files it had
            tests[:] = [file.path for file in test_files.find_tests(run.settings, named)]
        return [*tests, *supabase_folder.watched_files(run.settings), *seeds.watched_files(run.settings)]

    seen = watching.look(watched())
    try:
        while True:
            run.output.note(WAITING)
            seen, changed = watching.wait_for_change(seen, watched)
            try:
                found = test_files.find_tests(run.settings, named)
                own = [file for file in found if file.path in changed]
                others = changed.difference(tests)
                _run(run, target, found if others or not own else own, no_seed, jobs, report)
            except PromthctlError as error:
                tell(run, error)
    except KeyboardInterrupt:
        raise typer.Exit from None
