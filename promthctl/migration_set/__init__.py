"""A folder of SQL migrations: read and checked, copied into supabase/migrations, compared with a target's history.

One module for each; none of them prints, starts a process or reads the environment.

    folder.py           NNN_name.sql files → Migration, in order, or one error that lists everything wrong with them
    psql_dumps.py       what only psql understands, and the fix
    numbering.py        their versions: what is wrong with them, and better ones
    other_tools.py      files of dbmate, goose, Flyway and others: which part makes and which undoes
    problems.py         what is wrong with a folder, in one error
    source.py           where a project's migrations come from
    sync.py             source → supabase/migrations: a plan first, then its files are written
    copies.py           which files of supabase/migrations are such copies
    supabase_folder.py  both for a project's settings: its source, its supabase/ folder
    history.py          what the target says was applied → one row per migration, edited since or not
    squashed.py         one file in place of several, and the histories that have those
    creating.py         a name → the files of a new migration
    bundle.py           all migrations → one SQL file for the dashboard's editor
"""

from promthctl.migration_set.creating import NewMigration, create_migration
from promthctl.migration_set.folder import Migration, discover, discover_in_place, packaged_source, present_migrations
from promthctl.migration_set.history import HistoryEntry, MigrationRow, is_as_applied, list_migrations
from promthctl.migration_set.sync import (
    FileDifference,
    FileRename,
    SyncPlan,
    VersionConflict,
    plan_sync,
    replace_file,
    write_sync,
)

__all__ = [
    "FileDifference",
    "FileRename",
    "HistoryEntry",
    "Migration",
    "MigrationRow",
    "NewMigration",
    "SyncPlan",
    "VersionConflict",
    "create_migration",
    "discover",
    "discover_in_place",
    "is_as_applied",
    "list_migrations",
    "packaged_source",
    "plan_sync",
    "present_migrations",
    "replace_file",
    "write_sync",
]
