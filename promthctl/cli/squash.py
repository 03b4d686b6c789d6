"""promthctl migrations squash: one file in place of the first migrations."""

from __future__ import annotations

from typing import Annotated

import typer

from promthctl.cli.invocation import Invocation
from promthctl.cli.options import DryRun
from promthctl.errors import UsageError


def command(
    context: typer.Context,
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="The last of the migrations that become one.")
    ] = None,
    as_written: Annotated[
        bool, typer.Option("--as-written", help="Keep the statements and comments of the files; draft nothing.")
    ] = False,
    undo: Annotated[
        str | None, typer.Option("--undo", metavar="VERSION", help="Bring the files back for which that one stands.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Put one file in place of all migrations up to a version; it keeps that version and name.

    Both are run in throw-away databases: the schema must be the same, and so must the rows that migrations leave. Its
    SQL is drafted from the schema, with the statements that change rows; where that does not make the same, it is the
    files one after the other. The old files go to supabase/squashed. A target that has applied them is known by its
    history: push, local up and migrations adopt record the one file there in their place.
    """
    from promthctl.migration_files import changes, squashing
    from promthctl.views import squash as views

    run: Invocation = context.obj
    if (to is None) == (undo is None):
        why = "either --to or --undo is needed"
        raise UsageError("It is not clear what to squash", why, "promthctl migrations squash --to VERSION")
    if not dry_run and changes.finish_interrupted(run.settings, run.output):
        run.output.note("An interrupted run was finished.")
    if undo is not None:
        back = squashing.plan_undo(run.settings, undo)
        run.output.show(back if dry_run else squashing.undo(run.settings, back, run.output), views.undone)
        return
    plan = squashing.plan_squash(run.settings, to or "", as_written, run.output)
    run.output.show(plan if dry_run else squashing.squash(run.settings, plan, run.output), views.squash)
