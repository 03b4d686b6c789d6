"""promthctl migrations …: the folder of SQL migrations."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from promthctl.cli import completion, lint, squash
from promthctl.cli.groups import ForgivingGroup
from promthctl.cli.invocation import Invocation
from promthctl.cli.options import DryRun, LockTimeout, lock_seconds, with_target
from promthctl.errors import RefusedError, UsageError
from promthctl.quantities import count
from promthctl.resolve.choice import TargetChoice

if TYPE_CHECKING:
    from promthctl.migration_set import HistoryEntry
    from promthctl.targets import Target

app = typer.Typer(cls=ForgivingGroup, no_args_is_help=True, help="The folder of SQL migrations.")
app.command("lint")(lint.command)
app.command("squash")(squash.command)


@app.command("list")
@with_target
def list_(context: typer.Context, choice: TargetChoice) -> None:
    """Show each version: in source, in supabase/migrations, applied to the target, edited since it was applied."""
    from promthctl import migration_set
    from promthctl.migration_set import squashed, supabase_folder
    from promthctl.views import migrations as views

    run: Invocation = context.obj
    run.say_example()
    history, _ = _history(run, choice)
    source = supabase_folder.source_migrations(run.settings)
    present = migration_set.present_migrations(run.settings.migrations_dir)
    rows = migration_set.list_migrations(source, present, history)
    run.output.show(squashed.with_squashed(rows, source, history), views.migrations)


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
    from promthctl.migration_set import supabase_folder
    from promthctl.views import migrations as views

    run: Invocation = context.obj
    run.say_example()
    applied, history = _applied(run, run.remote_target(choice))
    if check:
        plan = supabase_folder.plan_project_sync(run.settings, applied, force, history)
        run.output.show(plan, views.sync)
        if plan.changes:
            raise typer.Exit(1)
        return
    run.output.show(supabase_folder.sync_project(run.settings, applied, run.output.note, force, history), views.sync)


@app.command()
def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the migration does, e.g. add_tags.")],
    from_schemas: Annotated[
        bool, typer.Option("--from-schemas", help="With the SQL that leads to what supabase/schemas declares.")
    ] = False,
    template: Annotated[
        Literal["table"] | None,
        typer.Option(
            "--template",
            help="Filled in: a table of users' rows with its policies, grants, index and down script.",
        ),
    ] = None,
) -> None:
    """Create the up and down files of a new migration, with the next free version.

    With --template table the table is called as NAME is, without create_ or add_ before it.

    With --from-schemas the schema files are run in a throw-away database ([db.migrations] schema_paths, by default
    supabase/schemas), and the files get the SQL from what the migrations make to that, and back. Both are tried with
    the Supabase CLI; where a difference is left, nothing is written and the exit code is 1.
    """
    from promthctl.migration_set import supabase_folder
    from promthctl.views import migrations as views

    run: Invocation = context.obj
    if template is not None:
        if from_schemas:
            why = "each says what is in the migration"
            raise UsageError("--template and --from-schemas exclude each other", why, "leave --template table out")
        run.output.show(supabase_folder.new_table(run.settings, name), views.new)
        return
    if from_schemas:
        from promthctl.migration_files import from_schemas as drafting
        from promthctl.migration_files import pulling

        settings = pulling.own_settings(run.settings, "No migration was made", "migrations new NAME --from-schemas")
        plan = drafting.plan_from_schemas(settings, name, run.output)
        run.output.show(drafting.write(settings, plan, run.output), views.from_schemas)
        if plan.refused:
            why = f"what was drafted leaves {count(len(plan.left), 'difference')}"
            hint = "promthctl migrations new NAME, and write the migration by hand"
            run.output.envelope.problem("failed", "No migration was made", why, hint)
            run.output.envelope.nothing_succeeded()
            raise typer.Exit(1)
        return
    run.output.show(supabase_folder.new_migration(run.settings, name), views.new)


@app.command()
@with_target
def renumber(context: typer.Context, choice: TargetChoice, dry_run: DryRun = False) -> None:
    """Give each migration a version of its own, where several files share one. Down scripts and copies move along.

    The order in which they apply stays: the older file first, as git knows it, and what follows moves on if it has to.
    Where git knows none as the older, a terminal is asked; without one, and with --yes, they go by name.
    What the target has applied keeps its version; without a target option the local stack is asked, if it runs. The
    new order is applied to a throw-away database before a file is renamed; where it fails, files of one version are
    tried in other orders. All files are renamed, or none.
    """
    from promthctl.migration_files import changes, renumbering
    from promthctl.views import migrations as views

    run: Invocation = context.obj
    if not dry_run and changes.finish_interrupted(run.settings, run.output):
        run.output.note("An interrupted run was finished.")
    history, asked = _history(run, choice)
    plan = renumbering.plan_renumbering(run.settings, history, asked, run.output)
    if plan.undecided and not dry_run and sys.stdin.isatty():
        run.output.aside(plan, views.renumbering)
        run.confirm("Rename them so? (No: rename the one that comes first by hand)", "Nothing was renamed")
    run.output.show(plan if dry_run else renumbering.renumber(run.settings, plan, run.output), views.renumbering)


@app.command()
def convert(context: typer.Context, dry_run: DryRun = False) -> None:
    """Turn files of other migration tools into what the Supabase CLI reads: NNN_name.sql, and a down script.

    Read are up and down parts in one file (dbmate, goose, sql-migrate, node-pg-migrate, tern and others), pairs such as
    X.up.sql and X.down.sql, Flyway's V1__x.sql, and the folders of Prisma, Hasura and Diesel. The result is applied to
    a throw-away database before a file is written; all files are written, or none.
    """
    from promthctl.migration_files import changes, converting
    from promthctl.views import migrations as views

    run: Invocation = context.obj
    if not dry_run and changes.finish_interrupted(run.settings, run.output):
        run.output.note("An interrupted run was finished.")
    plan = converting.plan_conversion(run.settings, run.output)
    run.output.show(plan if dry_run else converting.convert(run.settings, plan, run.output), views.conversion)


@app.command()
def down(
    context: typer.Context,
    versions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[VERSION]...", autocompletion=completion.versions, help="Of these migrations.", show_default=False
        ),
    ] = None,
    missing: Annotated[bool, typer.Option("--missing", help="Of all migrations that have none.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Write down scripts: the SQL from the schema after a migration to the one before it.

    Each is tried in a throw-away database: up, then down, and the schema must be the one before. Comments say where
    rows do not come back. Exit code 1 where one could not be written; the others are.
    """
    from promthctl.migration_files import changes, down_scripts
    from promthctl.views import migrations as views

    run: Invocation = context.obj
    if bool(versions) == missing:
        why = "either versions or --missing is needed"
        raise UsageError("It is not clear which down scripts to write", why, "promthctl migrations down --missing")
    if not dry_run and changes.finish_interrupted(run.settings, run.output):
        run.output.note("An interrupted run was finished.")
    plan = down_scripts.plan_down_scripts(run.settings, None if missing else versions, run.output)
    made = plan if dry_run else down_scripts.write_down_scripts(run.settings, plan, run.output)
    run.output.show(made, views.down_scripts)
    for one in made.not_written:
        run.output.envelope.problem("failed", f"No down script for {one.migration}", one.why, f"write {one.path}")
    if made.not_written:
        if not made.written:
            run.output.envelope.nothing_succeeded()
        raise typer.Exit(1)


@app.command()
@with_target
def fetch(context: typer.Context, choice: TargetChoice, dry_run: DryRun = False) -> None:
    """Write files for versions that a target's history has and this folder lacks, from what is recorded there.

    The Supabase CLI would record the same statements of each file. Exit code 1 where one could not be written.
    """
    from promthctl.migration_files import changes, fetching, pulling
    from promthctl.views import migrations as views

    run: Invocation = context.obj
    settings = run.settings = pulling.own_settings(run.settings, "Nothing was fetched", "migrations fetch")
    chosen = run.target(choice)
    if not dry_run and changes.finish_interrupted(settings, run.output):
        run.output.note("An interrupted run was finished.")
    plan = fetching.plan_fetch(settings, chosen)
    made = plan if dry_run else fetching.fetch(settings, plan, run.output)
    run.output.show(made, views.fetch)
    for one in made.not_written:
        run.output.envelope.problem("failed", f"No file for version {one.version}", one.why, "write the file by hand")
    if made.not_written:
        if not made.written:
            run.output.envelope.nothing_succeeded()
        raise typer.Exit(1)


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
            autocompletion=completion.versions,
            help="A migration that changes only rows, and that you know has run. May be repeated.",
        ),
    ] = None,
    lock_timeout: LockTimeout = None,
) -> None:
    """Record migrations as applied whose SQL was run by hand, if the target's schema proves it.

    No migration is run. Exit code 5 if only part of a migration is there; the differences are shown.
    """
    from promthctl.adoption import adopting
    from promthctl.views import migrations as views

    run: Invocation = context.obj
    patience = lock_seconds(lock_timeout)
    chosen = replace(run.target(choice), lock_seconds=patience)
    found = adopting.plan_adoption(run.settings, chosen, assume or (), run.output)
    names = (*found.adopted, *found.replacing)
    if not dry_run and names:
        if not chosen.local:
            for name in names:
                run.output.note(f"  found: {name}")
            question = f"Record {count(len(names), 'migration')} as applied to {chosen.label}?"
            run.confirm(question, f"Nothing was recorded on {chosen.label}")
        found = adopting.record_adoption(run.settings, chosen, found, run.output)
    run.output.show(found, views.adoption)
    if found.gaps:
        parts = ", ".join(dict.fromkeys(gap.migration for gap in found.gaps))
        hint = f"run what is missing on {found.target}, then: promthctl migrations adopt{found.options}"
        what, why = f"Nothing was recorded on {found.target}", f"there only in part: {parts}"
        run.output.envelope.problem(RefusedError.code, what, why, hint, RefusedError.exit_code)
        run.output.envelope.nothing_succeeded()
        raise typer.Exit(RefusedError.exit_code)


@app.command()
def bundle(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="[FILE|-]", help="Where to write it; - prints it. [default: -]", show_default=False),
    ] = Path("-"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE even if it is not a bundle.")] = False,
    unproven: Annotated[
        bool, typer.Option("--unproven", help="Do not try it first, e.g. for an extension that is missing here.")
    ] = False,
) -> None:
    """Put all migrations into one SQL file for the dashboard's SQL editor. It can be run more than once.

    The file records the history as the Supabase CLI does, so that a later push has nothing to do. It is one
    transaction, but where a migration needs its own; what can run in none, such as VACUUM, is refused with its line. It
    is tried on a throw-away database first, and must leave the schema that the CLI makes of the same files.
    """
    from promthctl.migration_files.bundling import bundle
    from promthctl.views import migrations as views

    run: Invocation = context.obj
    path = None if str(file) == "-" else run.typed_path(file)
    run.say_example()
    made = bundle(run.settings, path, force, not unproven, run.output)
    if made.sql is not None and not run.output.as_json:
        run.output.verbatim(made.sql)
    else:
        run.output.show(made, views.bundle)


def _history(run: Invocation, choice: TargetChoice) -> tuple[dict[str, HistoryEntry] | None, str | None]:
    """The history of the chosen target and its label; of the local stack only if it runs, else None and None."""
    from promthctl import database, engines
    from promthctl.engines.access import local_target
    from promthctl.resolve.production import announcement

    if (chosen := run.remote_target(choice)) is not None:
        return dict(database.fetch_history(chosen)), chosen.label
    engine = engines.current(run.settings)
    access = engine.access()
    if access is None or not engine.status().running:
        return None, None
    run.output.note(announcement("the local stack"))
    return dict(database.fetch_history(local_target(access))), "the local stack"


def _applied(run: Invocation, chosen: Target | None) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """The versions whose files must not change, because they are applied; and what a history says, if one was asked.

    chosen: None for the local stack.
    """
    from promthctl import database, engines, migration_set

    if chosen is not None:
        history = tuple(database.fetch_history(chosen))
        return history, history
    engine = engines.current(run.settings)
    if engine.access() is None:
        return (), None
    known = engine.status().applied
    if known is not None:
        return known, known
    # A stopped stack cannot be asked: what was copied before counts as applied.
    return tuple(file.version for file in migration_set.present_migrations(run.settings.migrations_dir)), None
