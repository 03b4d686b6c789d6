"""promthctl reset: make a database what the migrations make, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from promthctl.cli.invocation import Invocation
from promthctl.cli.options import DryRun, LockTimeout, lock_seconds, with_target
from promthctl.resolve.choice import TargetChoice

app = typer.Typer(add_completion=False)


@app.command("reset")
@with_target
def command(
    context: typer.Context,
    choice: TargetChoice,
    dry_run: DryRun = False,
    no_backup: Annotated[
        bool, typer.Option("--no-backup", help="Do not export the rows first; they will be lost.")
    ] = False,
    lock_timeout: LockTimeout = None,
) -> None:
    """Drop all schemas, tables and users of the target, whoever made them, and run the migrations again.

    The plan says what goes, with its rows, and what the Supabase CLI's reset leaves there. First the reset is tried in
    a throw-away database, and the rows are exported; `promthctl rollback --restore` puts them back.
    Except on the local stack (see `promthctl local reset`) you must type the project's or the database's name; --yes
    does not answer that.
    """
    from promthctl import resetting
    from promthctl.views import reset as views

    run: Invocation = context.obj
    patience = lock_seconds(lock_timeout)
    chosen = replace(run.target(choice), lock_seconds=patience)
    if chosen.local:
        reset_local(run, dry_run, seeding=True)
        return
    plan = resetting.plan_reset(run.settings, chosen, not no_backup, run.output)
    if dry_run:
        run.output.show(plan, views.plan)
        return
    for line in views.announced(plan):
        run.output.note(line)
    resetting.check_typed_name(chosen, run.ask(f"Type the {chosen.kind_of_name} ({chosen.name}) to reset it: "))
    run.output.show(resetting.reset_target(run.settings, chosen, plan, run.output), views.reset)


def reset_local(run: Invocation, dry_run: bool, *, seeding: bool) -> None:
    """The reset of the local stack, which asks nothing: what was there is kept."""
    from promthctl import engines
    from promthctl.local_stack.reset import preview_reset, reset
    from promthctl.views import reset as views

    engine = engines.current(run.settings)
    if dry_run:
        run.output.show(preview_reset(run.settings, engine, run.output), views.local_plan)
        return
    run.output.show(reset(run.settings, engine, run.output, seeding=seeding), views.local_reset)
