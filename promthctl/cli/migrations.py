"""promthctl migrations …: the folder of SQL migrations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promthctl import engines, migration_set
from promthctl.cli.common import DatabaseUrl, Invocation, Local, ProjectRef, TargetName, remote, target
from promthctl.errors import RefusedError
from promthctl.migration_set import supabase_folder
from promthctl.targets import Target
from promthctl.views import migrations as views
from promthctl.views.common import count

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
    from promthctl.engines.access import local_target

    run: Invocation = context.obj
    history = None
    if (chosen := remote(run, local, project_ref, db_url, target_name)) is not None:
        history = database.fetch_history(chosen)
    else:
        engine = engines.current(run.settings)
        access = engine.access()
        if access is not None and engine.status().running:
            run.output.note("Target: the local stack")
            history = database.fetch_history(local_target(access))
    rows = migration_set.list_migrations(
        supabase_folder.source_migrations(run.settings),
        migration_set.present_migrations(run.settings.migrations_dir),
        history,
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
        plan = supabase_folder.plan_project_sync(run.settings, applied, force)
        run.output.show(plan, views.sync)
        if plan.changes:
            raise typer.Exit(1)
        return
    run.output.show(supabase_folder.sync_project(run.settings, applied, force), views.sync)


@app.command()
def new(
    context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME", help="What it does, e.g. add_tags.")]
) -> None:
    """Make the up and down file of a new migration, under the next free version."""
    run: Invocation = context.obj
    run.output.show(supabase_folder.new_migration(run.settings, name), views.new)


@app.command()
def adopt(
    context: typer.Context,
    local: Local = False,
    project_ref: ProjectRef = None,
    db_url: DatabaseUrl = None,
    target_name: TargetName = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what is found; record nothing.")] = False,
    assume: Annotated[
        list[str] | None,
        typer.Option("--assume", metavar="VERSION", help="This migration changes rows only, and it has run. Repeats."),
    ] = None,
) -> None:
    """Record migrations whose SQL was run by hand as applied: those that the target's schema proves.

    Nothing is run on the target. Exit code 5 where a migration is there in part; the differences are shown.
    """
    from promthctl.adoption import adopting

    run: Invocation = context.obj
    chosen = target(run, local, project_ref, db_url, target_name)
    found = adopting.plan_adoption(run.settings, chosen, assume or (), run.output)
    if not dry_run and found.adopted:
        if not chosen.local:
            for name in found.adopted:
                run.output.note(f"  is there: {name}")
            question = f"Record {count(len(found.adopted), 'migration')} as applied to {chosen.label}?"
            run.confirm(question, f"Nothing was recorded on {chosen.label}")
        found = adopting.record_adoption(run.settings, chosen, found, run.output)
    run.output.show(found, views.adoption)
    if found.gaps:
        raise typer.Exit(RefusedError.exit_code)


@app.command()
def bundle(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="[FILE|-]", help="Where to write it; - prints it.", show_default=False)
    ] = Path("-"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE also if it is no bundle.")] = False,
) -> None:
    """Put all migrations into one SQL file for the dashboard's SQL editor; it can be run again.

    It records the history as the Supabase CLI does, so that a later push has nothing to do.
    """
    from promthctl.migration_set.bundle import bundle

    run: Invocation = context.obj
    made = bundle(run.settings, None if str(file) == "-" else file, force)
    if made.sql is not None and not run.output.as_json:
        run.output.verbatim(made.sql)
    else:
        run.output.show(made, views.bundle)


def _applied(run: Invocation, chosen: Target | None) -> tuple[str, ...]:
    """The versions that must not change under the target's feet; chosen: None for the local stack."""
    from promthctl import database

    if chosen is not None:
        return tuple(database.fetch_history(chosen))
    engine = engines.current(run.settings)
    if engine.access() is None:
        return ()
    known = engine.status().applied
    if known is not None:
        return known
    # A stopped stack cannot be asked: what was copied before counts as applied.
    return tuple(file.version for file in migration_set.present_migrations(run.settings.migrations_dir))
