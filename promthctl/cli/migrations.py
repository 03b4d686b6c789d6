"""promthctl migrations …: the folder of SQL migrations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promthctl import engines, migration_set
from promthctl.cli.invocation import Invocation
from promthctl.cli.options import DryRun, with_target
from promthctl.errors import RefusedError
from promthctl.migration_set import supabase_folder
from promthctl.quantities import count
from promthctl.resolve.choice import TargetChoice
from promthctl.resolve.production import announcement
from promthctl.targets import Target
from promthctl.views import migrations as views

app = typer.Typer(no_args_is_help=True, help="The folder of SQL migrations.")


@app.command("list")
@with_target
def list_(context: typer.Context, choice: TargetChoice) -> None:
    """Show each version: in source, in supabase/migrations, applied to the target, edited since it was applied."""
    from promthctl import database
    from promthctl.engines.access import local_target

    run: Invocation = context.obj
    history = None
    if (chosen := run.remote_target(choice)) is not None:
        history = database.fetch_history(chosen)
    else:
        engine = engines.current(run.settings)
        access = engine.access()
        if access is not None and engine.status().running:
            run.output.note(announcement("the local stack"))
            history = database.fetch_history(local_target(access))
    rows = migration_set.list_migrations(
        supabase_folder.source_migrations(run.settings),
        migration_set.present_migrations(run.settings.migrations_dir),
        history,
    )
    run.output.show(rows, views.migrations)


@app.command()
@with_target
def sync(
    context: typer.Context,
    choice: TargetChoice,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 if something would change.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also overwrite files of migrations that are already applied.")
    ] = False,
) -> None:
    """Copy the migrations from their source into supabase/migrations, byte for byte."""
    run: Invocation = context.obj
    applied = _applied(run, run.remote_target(choice))
    if check:
        plan = supabase_folder.plan_project_sync(run.settings, applied, force)
        run.output.show(plan, views.sync)
        if plan.changes:
            raise typer.Exit(1)
        return
    run.output.show(supabase_folder.sync_project(run.settings, applied, force), views.sync)


@app.command()
def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the migration does, e.g. add_tags.")],
) -> None:
    """Create the up and down files of a new migration, with the next free version."""
    run: Invocation = context.obj
    run.output.show(supabase_folder.new_migration(run.settings, name), views.new)


@app.command()
@with_target
def adopt(
    context: typer.Context,
    choice: TargetChoice,
    dry_run: DryRun = False,
    assume: Annotated[
        list[str] | None,
        typer.Option(
            "--assume",
            metavar="VERSION",
            help="A migration that changes only rows, and that you know has run. May be repeated.",
        ),
    ] = None,
) -> None:
    """Record migrations as applied whose SQL was run by hand, if the target's schema proves it.

    No migration is run. Exit code 5 if only part of a migration is there; the differences are shown.
    """
    from promthctl.adoption import adopting

    run: Invocation = context.obj
    chosen = run.target(choice)
    found = adopting.plan_adoption(run.settings, chosen, assume or (), run.output)
    if not dry_run and found.adopted:
        if not chosen.local:
            for name in found.adopted:
                run.output.note(f"  found: {name}")
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
        Path,
        typer.Argument(metavar="[FILE|-]", help="Where to write it; - prints it. [default: -]", show_default=False),
    ] = Path("-"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE even if it is not a bundle.")] = False,
) -> None:
    """Put all migrations into one SQL file for the dashboard's SQL editor. It can be run more than once.

    The file records the history as the Supabase CLI does, so that a later push has nothing to do.
    """
    from promthctl.migration_set.bundle import bundle

    run: Invocation = context.obj
    made = bundle(run.settings, None if str(file) == "-" else run.typed_path(file), force)
    if made.sql is not None and not run.output.as_json:
        run.output.verbatim(made.sql)
    else:
        run.output.show(made, views.bundle)


def _applied(run: Invocation, chosen: Target | None) -> tuple[str, ...]:
    """The versions whose files must not change, because they are applied. chosen: None for the local stack."""
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
