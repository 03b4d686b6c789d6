"""promthctl verify: is the database what the migrations say, and does every user see only their own rows?"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from promthctl.cli.invocation import Invocation
from promthctl.cli.options import with_target
from promthctl.errors import RefusedError, UsageError
from promthctl.process import write_private
from promthctl.project_files import missing_folder
from promthctl.resolve.choice import TargetChoice
from promthctl.targets import Target
from promthctl.views import verify as views

app = typer.Typer(add_completion=False)


@app.command("verify")
@with_target
def command(
    context: typer.Context,
    choice: TargetChoice,
    only: Annotated[
        str | None, typer.Option("--only", metavar="KINDS", help="Compare only these, e.g. tables,rls,indexes.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.html", help="Also write everything to an HTML page.")
    ] = None,
) -> None:
    """Compare the schema with the migrations, and prove that no user reaches another user's rows.

    All attempts are made in a transaction that is rolled back. Rows whose triggers do what no rollback undoes are tried
    only if you agree (--yes). Exit code 1 if anything is found.
    """
    from promthctl.verify import checks

    run: Invocation = context.obj
    chosen = run.target(choice)
    page_file = _writable(run.settings.project_dir / run.typed_path(report)) if report is not None else None
    kinds = [word.strip() for word in only.split(",") if word.strip()] if only is not None else None
    agreed = chosen.local or kinds is not None or _agreed(run, chosen)
    result = checks.verify(run.settings, chosen, kinds, run.output, agreed)
    if page_file is not None:
        from promthctl.verify.report import report_page

        write_private(page_file, report_page(result))
        run.output.note(f"Report: {page_file}")
    run.output.show(result, views.verify)
    if not result.ok:
        raise typer.Exit(1)


def _agreed(run: Invocation, target: Target) -> bool:
    """Whether rows may be made whose triggers do what no rollback undoes; the other tables are tried in any case."""
    from promthctl.verify import checks

    effects = checks.side_effects(target)
    if not effects:
        return False  # what appears from now on was not asked about
    for effect in effects:
        run.output.note(f"  {effect.text}")
    tables = ", ".join(dict.fromkeys(effect.table for effect in effects))
    question = f"verify would make rows in {tables} of {target.label} and roll them back, but not the above. Try them?"
    try:
        run.confirm(question, "Not everything was verified")
    except RefusedError:
        run.output.note(f"Rows of {tables} are not tried; --yes tries them.")
        return False
    return True


def _writable(path: Path) -> Path:
    """The report's file. Raises UsageError if it cannot be written, before anything is verified."""
    what = f"The report {path} cannot be written"
    if path.is_dir():
        raise UsageError(what, "it is a folder", f"--report {shlex.quote(str(path / 'verify.html'))}")
    if not path.parent.is_dir():
        raise UsageError(what, *missing_folder(path.parent))
    return path
