"""promthctl reset: drop what the migrations made and replay them."""

from __future__ import annotations

import typer

from promthctl import push
from promthctl.cli.common import DatabaseUrl, Invocation, Local, ProjectRef, TargetName, target
from promthctl.views import push as views

app = typer.Typer(add_completion=False)


@app.command("reset")
def command(
    context: typer.Context,
    local: Local = False,
    project_ref: ProjectRef = None,
    db_url: DatabaseUrl = None,
    target_name: TargetName = None,
) -> None:
    """Drop everything the migrations made in the target, with all its rows, and replay them.

    Asks for the project's or the database's name to be typed, except on the local stack; --yes does not answer that.
    """
    run: Invocation = context.obj
    chosen = target(run, local, project_ref, db_url, target_name)
    if not chosen.local:
        push.check_reset(run.settings, chosen, run.output)  # before the question, not after it
        run.output.note(f"All tables and rows of {chosen.label} will be lost.")
        push.check_typed_name(chosen, run.ask(f"Type the {chosen.kind_of_name} ({chosen.name}) to reset it: "))
    run.output.show(push.reset_target(run.settings, chosen, run.output), views.reset)
