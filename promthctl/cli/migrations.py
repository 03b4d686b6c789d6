"""promthctl migrations …: the folder of SQL migrations."""

from __future__ import annotations

from typing import Annotated

import typer

from promthctl import engines, migration_set, project
from promthctl.cli.common import DatabaseUrl, Invocation, Local, ProjectRef, TargetName, remote
from promthctl.targets import Target
from promthctl.views import migrations as views

app = typer.Typer(no_args_is_help=True, help="The folder of SQL migrations.")


@app.command("list")
def list_(
    context: typer.Context,
    local: Local = False,
    project_ref: ProjectRef = None,
    db_url: DatabaseUrl = None,
    target_name: TargetName = None,
) -> None:
    """Show each version: in source, in supabase/migrations, applied to the target, edited since it was applied."""
    from promthctl import database
    from promthctl.local import target_of

    run: Invocation = context.obj
    history = None
    if (target := remote(run, local, project_ref, db_url, target_name)) is not None:
        history = database.history(target)
    else:
        engine = engines.current(run.settings)
        access = engine.access()
        if access is not None and engine.status().running:
            run.output.note("Target: the local stack")
            history = database.history(target_of(access))
    rows = migration_set.listing(
        project.source(run.settings), migration_set.present(run.settings.migrations_dir), history
    )
    run.output.show(rows, views.migrations)


@app.command()
def sync(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit code 1 when something would.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite also what is applied already.")] = False,
    local: Local = False,
    project_ref: ProjectRef = None,
    db_url: DatabaseUrl = None,
    target_name: TargetName = None,
) -> None:
    """Copy the migrations from their source into supabase/migrations, byte for byte."""
    run: Invocation = context.obj
    applied = _applied(run, remote(run, local, project_ref, db_url, target_name))
    if check:
        plan = project.plan(run.settings, applied, force)
        run.output.show(plan, views.sync)
        if plan.changes:
            raise typer.Exit(1)
        return
    run.output.show(project.sync(run.settings, applied, force), views.sync)


def _applied(run: Invocation, target: Target | None) -> tuple[str, ...]:
    """The versions that must not change under the target's feet; target: None for the local stack."""
    from promthctl import database

    if target is not None:
        return tuple(database.history(target))
    engine = engines.current(run.settings)
    if engine.access() is None:
        return ()
    known = engine.status().applied
    if known is not None:
        return known
    # A stopped stack cannot be asked: what was copied before counts as applied.
    return tuple(file.version for file in migration_set.present(run.settings.migrations_dir))
