"""promthctl verify: the database is what the migrations say, and nobody sees another's rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promthctl.cli.common import DatabaseUrl, Invocation, Local, ProjectRef, TargetName, target
from promthctl.errors import UsageError
from promthctl.process import write_private
from promthctl.views import verify as views

app = typer.Typer(add_completion=False)


@app.command("verify")
def command(
    context: typer.Context,
    local: Local = False,
    project_ref: ProjectRef = None,
    db_url: DatabaseUrl = None,
    target_name: TargetName = None,
    only: Annotated[
        str | None, typer.Option("--only", metavar="KINDS", help="Compare these alone, e.g. tables,rls,indexes.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.html", help="Write a page with everything too.")
    ] = None,
) -> None:
    """Compare the schema with the migrations and prove that nobody reaches another's rows.

    Everything is tried in a transaction that is rolled back. Exit code 1 on any finding.
    """
    from promthctl.verify import checks

    run: Invocation = context.obj
    chosen = target(run, local, project_ref, db_url, target_name)
    page_file = _writable(run.settings.project_dir / report.expanduser()) if report is not None else None
    kinds = [word.strip() for word in only.split(",") if word.strip()] if only is not None else None
    if not chosen.local and kinds is None and (effects := checks.side_effects(chosen)):
        for effect in effects:
            run.output.note(f"  {effect}")
        run.confirm(f"Rows are tried on {chosen.label}; no rollback undoes the above. Go on?", "Nothing was verified")
    result = checks.verify(run.settings, chosen, kinds, run.output)
    if page_file is not None:
        from promthctl.verify.report import report_page

        write_private(page_file, report_page(result))
        run.output.note(f"Report: {page_file}")
    run.output.show(result, views.verify)
    if not result.ok:
        raise typer.Exit(1)


def _writable(path: Path) -> Path:
    """The report's file. Raises UsageError for one that cannot be written, before anything is verified."""
    if path.is_dir() or not path.parent.is_dir():
        why = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise UsageError(f"The report {path} cannot be written", why, "give it a file in a folder that exists")
    return path
