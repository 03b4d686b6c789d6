"""The supabase/ folder of a project: created where it is missing, filled from the source of the migrations."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from promthctl import migration_set
from promthctl.errors import PrerequisiteError, RefusedError, UsageError
from promthctl.migration_set import Migration, NewMigration, SyncPlan
from promthctl.migration_set.source import CONFIG, find_source
from promthctl.settings import Settings

_IGNORED = "# Supabase\n.branches\n.temp\n"


def source_migrations(settings: Settings) -> tuple[Migration, ...]:
    """The migrations to bring to a target. Raises UsageError or PromthctlError for a folder that cannot be used."""
    source = find_source(settings)
    if source.kind == "in-place":
        return migration_set.discover_in_place(source.folder)
    return migration_set.discover(source.folder)


def check_enabled(settings: Settings) -> None:
    """Raise RefusedError where supabase/config.toml says that the migrations are not to be applied."""
    database = settings.supabase.get("db")
    migrations = database.get("migrations") if isinstance(database, dict) else None
    if isinstance(migrations, dict) and migrations.get("enabled") is False:
        raise RefusedError(
            "The migrations are switched off",
            f"{settings.supabase_dir / 'config.toml'} has [db.migrations] enabled = false; nothing was changed",
            "set [db.migrations] enabled = true there and run the same command again",
        )


def plan_project_sync(settings: Settings, applied: Collection[str], force: bool = False) -> SyncPlan:
    """What sync_project would do; see migration_set.plan_sync."""
    return migration_set.plan_sync(source_migrations(settings), settings.migrations_dir, applied, force)


def new_migration(settings: Settings, name: str) -> NewMigration:
    """Create the files of a new migration in the source folder; see migration_set.create_migration.

    Raises UsageError where the migrations are those that come with promthctl.
    """
    source = find_source(settings)
    folder = source.folder
    if source.example:
        raise UsageError(
            "A new migration needs a folder of your own",
            "the migrations are those that come with promthctl, and pyproject.toml names no folder of yours",
            '[tool.promthctl] migrations = "database/migrations" in pyproject.toml, then run it again',
        )
    taken = {
        file.version
        for file in (
            *migration_set.present_migrations(folder),
            *migration_set.present_migrations(settings.migrations_dir),
        )
    }
    own = folder.resolve() != settings.migrations_dir.resolve()
    return migration_set.create_migration(folder, name, taken, datetime.now(UTC), with_down=own)


def ensure_config(settings: Settings) -> None:
    """Create supabase/config.toml and supabase/.gitignore where they are missing.

    For migrations that are copied there, and for the CLI where it reads that folder itself.
    """
    for name, content in {
        "config.toml": CONFIG.format(name=settings.project_id),
        ".gitignore": _IGNORED,
    }.items():
        path = settings.supabase_dir / name
        try:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, encoding="utf-8")
        except OSError as error:
            raise PrerequisiteError(
                f"{path} cannot be written",
                error.strerror or str(error),
                "run promthctl where you have write access, or choose another folder with -C DIR",
            ) from None


def sync_project(settings: Settings, applied: Collection[str], force: bool = False) -> SyncPlan:
    """Make supabase/migrations what the source says; returns the plan that was carried out."""
    plan = plan_project_sync(settings, applied, force)
    if refusal := plan.refusal:
        raise refusal
    if find_source(settings).kind != "in-place":  # nothing is added to a folder that is used as it is
        ensure_config(settings)
    migration_set.write_sync(plan)
    return plan


def expected_migrations(settings: Settings, plan: SyncPlan | None = None) -> tuple[Migration, ...]:
    """The files of supabase/migrations in the CLI's order; with a plan, as they will be once it is carried out.

    Their paths are those a person should edit: the source's where the file comes from there.
    """
    files = {file.filename: file for file in migration_set.present_migrations(settings.migrations_dir)}
    if plan is not None:
        for rename in plan.renamed:
            files.pop(rename.old, None)
    origin = source_migrations(settings) if plan is not None or not find_source(settings).example else ()
    files |= {file.filename: file for file in origin if plan is not None or file.filename in files}
    return tuple(sorted(files.values(), key=lambda file: (file.version, file.name)))


def pending_migrations(files: Iterable[Migration], applied: Collection[str]) -> tuple[Migration, ...]:
    """Those whose version the target does not have."""
    return tuple(file for file in files if file.version not in applied)
