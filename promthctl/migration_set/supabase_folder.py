"""The supabase/ folder of a project: created where it is missing, filled from the source of the migrations."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from pathlib import Path

from promthctl import migration_set
from promthctl.errors import PrerequisiteError, PromthctlError, RefusedError, UsageError
from promthctl.migration_set import Migration, NewMigration, SyncPlan, copies, numbering
from promthctl.migration_set.creating import file_slug
from promthctl.migration_set.folder import DOWN_FOLDER, down_part
from promthctl.migration_set.problems import shell_quote, unusable_folder
from promthctl.migration_set.source import CONFIG, find_source
from promthctl.migration_set.table_template import table_of_name, table_texts
from promthctl.process import open_private
from promthctl.settings import Settings
from promthctl.state import StateDir
from promthctl.watching import sql_files

UNFINISHED = "unfinished.json"  # in .promthctl: the migration files that a killed command was about to write
REPLACED = "replaced"  # in .promthctl: what a sync has replaced
_KEPT_OF_EACH = 5
_IGNORED = "# Supabase\n.branches\n.temp\n"


def source_migrations(settings: Settings) -> tuple[Migration, ...]:
    """The migrations to bring to a target. Raises UsageError or PromthctlError for a folder that cannot be used."""
    check_unfinished(settings)
    if (settings.state_dir / UNFINISHED).exists():
        why = "promthctl was interrupted while it wrote them: some files are changed and some are not"
        raise PromthctlError("The migrations cannot be used", why, "promthctl migrations renumber finishes it")
    source = find_source(settings)
    if source.kind == "in-place":
        return migration_set.discover_in_place(source.folder)
    return migration_set.discover(source.folder)


def check_unfinished(settings: Settings) -> None:
    """Raise RefusedError for a list of what to write and remove that was not made here."""
    file = settings.state_dir / UNFINISHED
    if os.path.lexists(file) and not StateDir(settings.state_dir).has(UNFINISHED):
        raise RefusedError(
            f"{file} was not followed",
            "it names files to write and to remove, and was not made here, by you, for this folder",
            f"look at the migrations (git status), then rm {shell_quote(str(file))}",
        )


def check_enabled(settings: Settings) -> None:
    """Raise RefusedError where supabase/config.toml says that the migrations are not to be applied."""
    database = settings.supabase.get("db")
    migrations = database.get("migrations") if isinstance(database, dict) else None
    if isinstance(migrations, dict) and migrations.get("enabled") is False:
        raise RefusedError(
            "The migrations are switched off",
            f"{settings.supabase_dir / 'config.toml'} has [db.migrations] enabled = false; nothing was changed",
            "set enabled = true under [db.migrations] there and run the same command again",
        )


def plan_project_sync(
    settings: Settings, applied: Collection[str], force: bool = False, history: Collection[str] | None = None
) -> SyncPlan:
    """What sync_project would do; see migration_set.plan_sync.

    Raises PromthctlError too for files of others in supabase/migrations that no CLI can apply beside the source's.
    """
    source, folder = source_migrations(settings), settings.migrations_dir
    plan = migration_set.plan_sync(source, folder, applied, force, copies.read_copies(settings), history)
    if plan.foreign and find_source(settings).kind != "in-place":
        foreign = [file for file in migration_set.present_migrations(folder) if file.filename in plan.foreign]
        problems = [found for file in foreign for found in down_part(file)] + numbering.twice(foreign, as_text=True)
        if problems:
            raise unusable_folder(folder, problems)
    return plan


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
            own_folder_hint("run it again"),
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


def new_table(settings: Settings, name: str, *, in_place: bool = False) -> NewMigration:
    """Create a migration that makes a table of users' rows, and its down script; see table_template.

    in_place: in supabase/migrations, whatever the source is. Raises as new_migration and table_of_name do.
    """
    table = table_of_name(file_slug(name))
    if in_place:
        made = migration_set.create_migration(settings.migrations_dir, name, (), datetime.now(UTC), with_down=False)
    else:
        made = new_migration(settings, name)
    down = made.down or made.up.parent.parent / DOWN_FOLDER / f"{made.up.stem}.down.sql"
    for path, text in zip((made.up, down), table_texts(made.up.stem, table), strict=True):
        try:
            path.parent.mkdir(exist_ok=True)
            migration_set.replace_file(path, text.encode())
        except OSError as error:
            raise _unwritable(path, error) from None
    return NewMigration(made.version, made.up, down)


def own_folder_hint(then: str) -> str:
    """How to have migrations of one's own instead of those that come with promthctl. then: what to do afterwards."""
    return f'set migrations = "database/migrations" under [tool.promthctl] in pyproject.toml, then {then}'


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
            raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> PrerequisiteError:
    return PrerequisiteError(
        f"{path} cannot be written",
        error.strerror or str(error),
        "run promthctl where you have write access, or choose another folder with -C DIR",
    )


def sync_project(
    settings: Settings,
    applied: Collection[str],
    note: Callable[[str], None],
    force: bool = False,
    history: Collection[str] | None = None,
) -> SyncPlan:
    """Make supabase/migrations what the source says; returns the plan that was carried out.

    note: is told where a file is kept that was edited there and is replaced.
    """
    plan = plan_project_sync(settings, applied, force, history)
    if refusal := plan.refusal:
        raise refusal
    if find_source(settings).kind != "in-place":  # nothing is added to a folder that is used as it is
        ensure_config(settings)
    _keep_edited(settings, plan, note)
    copies.record_copies(settings, plan)
    migration_set.write_sync(plan)
    copies.forget_copies(settings, plan)
    return plan


def _keep_edited(settings: Settings, plan: SyncPlan, note: Callable[[str], None]) -> None:
    """Keep what the plan replaces in .promthctl/replaced, unless promthctl wrote it: it may be nowhere else.

    Of each file the last five are kept.
    """
    known = copies.read_copies(settings)
    for difference in plan.overwritten:
        name = difference.migration.filename
        if copies.is_untouched(name, difference.current, known):
            continue
        state = StateDir(settings.state_dir)
        state.make()
        kept = state.path / REPLACED / f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{name}"
        try:
            kept.parent.mkdir(mode=0o700, exist_ok=True)
            with open_private(kept, "wb") as file:
                file.write(difference.current)
            _forget_older(kept.parent, name)
        except OSError as error:
            raise _unwritable(kept, error) from None
        note(
            f"warning: {plan.destination / name} was not the copy of {difference.migration.path} that it is now; as it"
            f" was it is kept: {kept}"
        )


def _forget_older(folder: Path, name: str) -> None:
    """Names there begin with the time."""
    kept = sorted(file for file in folder.iterdir() if file.name.partition("Z-")[2] == name)
    for old in kept[:-_KEPT_OF_EACH]:
        old.unlink(missing_ok=True)


def expected_migrations(settings: Settings, plan: SyncPlan | None = None) -> tuple[Migration, ...]:
    """The files of supabase/migrations in the CLI's order; with a plan, as they will be once it is carried out.

    Their paths are those a person should edit: the source's where the file comes from there. Raises RefusedError for a
    plan in which two files have one version.
    """
    if plan is not None and plan.conflicts and plan.refusal:
        raise plan.refusal
    files = {file.filename: file for file in migration_set.present_migrations(settings.migrations_dir)}
    if plan is not None:
        for name in (*plan.removed, *(rename.old for rename in plan.renamed)):
            files.pop(name, None)
    origin = source_migrations(settings) if plan is not None or not find_source(settings).example else ()
    files |= {file.filename: file for file in origin if plan is not None or file.filename in files}
    return tuple(sorted(files.values(), key=lambda file: (file.version, file.name)))


def watched_files(settings: Settings) -> tuple[Path, ...]:
    """The files of the folder that the migrations come from, also while it cannot be used."""
    try:
        folder = find_source(settings).folder
    except PromthctlError:
        folder = settings.migrations_dir
    return tuple(sql_files(folder))


def pending_migrations(files: Iterable[Migration], applied: Collection[str]) -> tuple[Migration, ...]:
    """Those whose version the target does not have."""
    return tuple(file for file in files if file.version not in applied)
