"""promthctl push: apply what is pending to a database."""

from __future__ import annotations

from typing import Annotated

import typer

from promthctl import push
from promthctl.cli.common import DatabaseUrl, Invocation, Local, ProjectRef, TargetName, target
from promthctl.views import push as views
from promthctl.views.common import count

app = typer.Typer(add_completion=False)


@app.command("push")
def command(
    context: typer.Context,
    local: Local = False,
    project_ref: ProjectRef = None,
    db_url: DatabaseUrl = None,
    target_name: TargetName = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop after the plan.")] = False,
    allow_destructive: Annotated[
        bool,
        typer.Option(
            "--allow-destructive",
            help="Push also what destroys data or cannot be read. Not needed on the local stack.",
        ),
    ] = False,
    include_all: Annotated[
        bool, typer.Option("--include-all", help="Push also what is older than the newest applied migration.")
    ] = False,
) -> None:
    """Apply the migrations that the target lacks, through the Supabase CLI.

    First the plan is shown: what is pending, what of it destroys data (with the rows at risk), what rewrites or locks
    a table, and where the target's history disagrees with the files. Anything but the local stack asks then.
    """
    run: Invocation = context.obj
    chosen = target(run, local, project_ref, db_url, target_name)
    plan = push.plan(run.settings, chosen, include_all)
    if dry_run:
        run.output.show(push.preview(plan), views.preview)
        return
    if refusal := plan.refusal:
        raise refusal
    if plan.pending or plan.disagreements:
        run.output.aside(push.preview(plan), views.planned)
    push.check_destructive(chosen, plan, allow_destructive)
    if plan.pending and not chosen.local:
        noun = count(len(plan.pending), "migration")
        run.confirm(f"Apply {noun} to {chosen.label}?", f"Nothing was pushed to {chosen.label}")
    run.output.show(push.push(run.settings, chosen, plan, run.output), views.push)
