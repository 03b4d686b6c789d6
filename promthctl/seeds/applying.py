"""The roles and the seeds of a project, run on a target."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promthctl import database
from promthctl.database.lock_waits import LockWatch, ending_waits
from promthctl.database.transactions import database_failure, undisturbed
from promthctl.errors import PromthctlError
from promthctl.seeds import record
from promthctl.seeds.failing import Failure
from promthctl.seeds.files import SqlFile, find_roles, find_seeds, seeds_are_enabled, sql_file
from promthctl.seeds.running import FileRun, run_file
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target, command_line_options

if TYPE_CHECKING:
    import psycopg

_LARGE = 2_000_000  # bytes; of a file that is larger, the progress is shown


@dataclass(frozen=True)
class SeedPlan:
    """run: the files to run, in order. done: those that were run before. changed: those that are different since.

    unmatched: patterns of sql_paths that no file matches. named: the files to run were named on the command line.
    options: those that name the target to a command.
    """

    target: str
    run: tuple[SqlFile, ...]
    done: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    named: bool = False
    options: str = field(default="", repr=False)


@dataclass(frozen=True)
class SeedResult:
    """files: what was run, in order. done, changed: what was not, see SeedPlan, as options."""

    target: str
    files: tuple[FileRun, ...]
    done: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    options: str = field(default="", repr=False)


def plan_seeds(settings: Settings, target: Target, named: Sequence[Path] = ()) -> SeedPlan:
    """What a run of the seeds would do. named: absolute paths; they are run whether they were before or not.

    Raises PromthctlError for a file that cannot be read and where there is nothing that could be run.
    """
    if named:
        return SeedPlan(target.label, tuple(sql_file(settings, path) for path in named), named=True)
    found = find_seeds(settings)
    if not found.files:
        raise _no_seeds(settings, found.unmatched)
    hashes = _read_hashes(target)
    known = {file: hashes[file.name] for file in found.files if file.name in hashes}
    changed = tuple(file.name for file, digest in known.items() if file.sha256() != digest)
    return SeedPlan(
        target.label,
        tuple(file for file in found.files if file not in known),
        tuple(file.name for file in known if file.name not in changed),
        changed,
        found.unmatched,
        options=command_line_options(target),
    )


def run_planned(settings: Settings, target: Target, plan: SeedPlan, steps: Steps) -> SeedResult:
    """Carry out a plan, while no other promthctl changes the target. Raises as run_files does."""
    with undisturbed(settings, target, steps):
        # Somebody else may have run them between the plan and the lock.
        recorded = {} if plan.named else _read_hashes(target)
        meanwhile = [file for file in plan.run if file.name in recorded]
        files = [file for file in plan.run if file not in meanwhile]
        runs = run_files(settings, target, files, steps, named=plan.named)
    return SeedResult(plan.target, runs, (*plan.done, *(file.name for file in meanwhile)), plan.changed, plan.options)


def run_seeds(settings: Settings, target: Target, steps: Steps, again: str | None = None) -> SeedResult:
    """Run all seeds on a fresh database whose migrations are applied; none where config.toml switches them off.

    again: the command that an error names to run them again, `promthctl seed sql` by default.
    The caller sees to it that no other promthctl changes the target. Raises as run_files does.
    """
    found = find_seeds(settings)
    warn_of(found.unmatched, steps)
    return SeedResult(target.label, run_files(settings, target, found.files, steps, again))


def run_roles(settings: Settings, target: Target, steps: Steps) -> FileRun | None:
    """Run supabase/roles.sql on a fresh database, before its migrations; None if there is none.

    Raises PromthctlError naming line and statement for one that fails; nothing of it stays.
    """
    file = find_roles(settings)
    if file is None:
        return None
    with _session(target, steps) as (connection, watch), shown(steps, file) as used:
        return run_file(connection, file, roles_failure(target, watch), lambda _: None, used)


def roles_failure(target: Target, watch: LockWatch | None = None) -> Failure:
    return Failure(target, "run the same command again", roles=True, watch=watch)


def run_files(
    settings: Settings,
    target: Target,
    files: Iterable[SqlFile],
    steps: Steps,
    again: str | None = None,
    *,
    named: bool = False,
) -> tuple[FileRun, ...]:
    """Run files in one session, as the CLI does; the project's seeds are recorded in the transactions they run in.

    again: see run_seeds. named: they were named on the command line.
    Raises PromthctlError naming file, line and statement; the files before it stay, and are recorded.
    """
    seeds = {file.path for file in find_seeds(settings).files}
    again = again or f"promthctl seed sql{command_line_options(target)}"
    done: list[FileRun] = []
    with _session(target, steps) as (connection, watch):
        for file in files:
            digest = file.sha256() if file.path in seeds else None
            command = f"{again} {shlex.quote(str(file.path))}" if named else again
            failure = Failure(target, command, recorded=not named, watch=watch)
            with shown(steps, file) as used:
                done.append(run_file(connection, file, failure, _recording(file, digest), used))
    return tuple(done)


def warn_of(unmatched: Iterable[str], steps: Steps) -> None:
    for pattern in unmatched:
        steps.note(f"warning: no file matches {pattern} of [db.seed] sql_paths in supabase/config.toml")


@contextmanager
def shown(steps: Steps, file: SqlFile) -> Iterator[Callable[[int], None]]:
    """Show that a file is being run, and of a large one how far; takes how many bytes are done."""
    if file.size < _LARGE:
        with steps.step(f"Running {file.name}"):
            yield lambda done: None
        return
    with steps.progress(f"{file.name}, kB", file.size // 1000) as advance:
        told = 0

        def used(done: int) -> None:
            nonlocal told
            if new := done // 1000 - told:
                told += new
                advance(new)

        yield used


@contextmanager
def _session(target: Target, steps: Steps) -> Iterator[tuple[psycopg.Connection[Any], LockWatch]]:
    """A connection of which is told whom it waits for, and how it waits.

    Not by lock_timeout: dumps begin with setting that to 0.
    """
    with database.connect(target) as connection, ending_waits(target, connection, steps.note) as watch:
        yield connection, watch


def _read_hashes(target: Target) -> Mapping[str, str]:
    import psycopg

    with database.connect(target) as connection:
        try:
            return record.read_record(connection).hashes
        except psycopg.Error as error:
            if connection.broken:
                raise
            what = f"Which seeds were run on {target.label} could not be read"
            raise database_failure(what, error, "nothing was changed") from None


def _recording(file: SqlFile, digest: str | None) -> Callable[[psycopg.Connection[Any]], None]:
    def finish(connection: psycopg.Connection[Any]) -> None:
        if digest is not None:
            record.write_run(connection, file.name, digest)

    return finish


def _no_seeds(settings: Settings, unmatched: Sequence[str]) -> PromthctlError:
    config = settings.supabase_dir / "config.toml"
    if not seeds_are_enabled(settings):
        why, hint = f"{config} has [db.seed] enabled = false", "set it to true, or name a file: promthctl seed sql FILE"
    else:
        wanted = ", ".join(unmatched) or str(settings.supabase_dir / "seed.sql")
        why, hint = f"there is no {wanted}", "write one, or name a file: promthctl seed sql FILE"
    return PromthctlError("There is no seed to run", why, hint)
