"""promthctl reset: drop what the migrations created and run them again."""

from __future__ import annotations

import typer

from promthctl import push
from promthctl.cli.invocation import Invocation
from promthctl.cli.options import with_target
from promthctl.resolve.choice import TargetChoice
from promthctl.views import push as views

app = typer.Typer(add_completion=False)


@app.command("reset")
@with_target
def command(context: typer.Context, choice: TargetChoice) -> None:
    """Drop everything that the migrations created in the target, with all rows, and run them again.

    Except on the local stack you must type the project's or the database's name; --yes does not answer that.
    """
    run: Invocation = context.obj
    chosen = run.target(choice)
    if not chosen.local:
        push.check_reset(run.settings, chosen, run.output)  # before the question, not after it
        run.output.note(f"All tables and rows of {chosen.label} will be lost.")
        push.check_typed_name(chosen, run.ask(f"Type the {chosen.kind_of_name} ({chosen.name}) to reset it: "))
    run.output.show(push.reset_target(run.settings, chosen, run.output), views.reset)
