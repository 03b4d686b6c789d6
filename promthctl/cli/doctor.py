"""promthctl doctor: what is in order here, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promthctl.cli.invocation import Invocation
from promthctl.cli.options import with_target
from promthctl.resolve.choice import TargetChoice

if TYPE_CHECKING:
    from promthctl.doctor import Finding

app = typer.Typer(add_completion=False)


@app.command("doctor")
@with_target
def command(
    context: typer.Context,
    choice: TargetChoice,
    fix: Annotated[bool, typer.Option("--fix", help="Do those of the fixes that lose nothing.")] = False,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", metavar="FILE", help="Also write a report that can be shown to others.")
    ] = None,
) -> None:
    """Look at what promthctl needs: Python, Node.js, the tools, Docker, ports, disk, memory, the project's files.

    With a target option it is connected to as well. --fix sets permissions and copies migrations into
    supabase/migrations. The report of --bundle has names and versions, no values. Exit code 3 if something would stop
    `promthctl local up`, or if the target cannot be reached.
    """
    from promthctl import doctor
    from promthctl.errors import PromthctlError
    from promthctl.views import doctor as views

    run: Invocation = context.obj
    settings, unusable = None, None
    try:
        settings = run.settings
    except PromthctlError as error:
        unusable = error
    named = choice.local or choice.project_ref or choice.db_url or choice.name
    target = (lambda: _target(run, choice)) if named and settings is not None else None
    found = doctor.examine(settings, unusable, target)
    if fix and settings is not None and (done := doctor.put_right(settings, found, run.output.note)):
        del run.settings  # they are read again, and all is looked at again
        settings = run.settings
        found = replace(doctor.examine(settings, None, target), fixed=done)
    if bundle is not None:
        doctor.write_bundle(settings, found, run.typed_path(bundle))
    run.output.show(found, views.diagnosis)
    if bundle is not None:
        run.output.note(f"Written: {bundle}; look at it before you show it.")
    if not found.ready:
        raise typer.Exit(3)


def _target(run: Invocation, choice: TargetChoice) -> Iterator[Finding]:
    from promthctl import database
    from promthctl.doctor import Finding

    target = run.target(choice)
    with database.connect(target) as connection:
        ((version,),) = connection.execute("select current_setting('server_version')").fetchall()
    yield Finding("Target", "ok", f"{target.label} answers, PostgreSQL {version}")
