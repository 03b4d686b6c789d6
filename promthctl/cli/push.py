"""promthctl push: apply what is pending to a database."""

from __future__ import annotations

from typing import Annotated

import typer

from promthctl import push
from promthctl.cli.common import DatabaseUrl, Invocation, Local, ProjectRef, TargetName, target
from promthctl.views import push as views

app = typer.Typer(add_completion=False)


@app.command("push")
def command(
    context: typer.Context,
    local: Local = False,
    project_ref: ProjectRef = None,
    db_url: DatabaseUrl = None,
    target_name: TargetName = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what is pending; change nothing.")] = False,
) -> None:
    """Sync the migrations and apply those that the target lacks, through the Supabase CLI."""
    run: Invocation = context.obj
    chosen = target(run, local, project_ref, db_url, target_name)
    if dry_run:
        run.output.show(push.preview(run.settings, chosen), views.push)
        return
    plan = push.plan(run.settings, chosen)
    if plan.pending and not chosen.local:
        for migration in plan.pending:
            run.output.note(f"  pending: {migration.filename}")
        noun = "migration" if len(plan.pending) == 1 else "migrations"
        run.confirm(f"Apply {len(plan.pending)} {noun} to {chosen.label}?", f"Nothing was pushed to {chosen.label}")
    run.output.show(push.push(run.settings, chosen, plan, run.output), views.push)
