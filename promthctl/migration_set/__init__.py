"""A folder of SQL migrations: read and checked, copied into supabase/migrations, compared with a target's history.

One module for each; none of them prints, starts a process or reads the environment.

    folder.py      NNN_name.sql files → Migration, in order, or one error that lists everything wrong with the folder
    sync.py        source → supabase/migrations: first a plan, then the writing of it
    history.py     what the target says was applied → one row per migration, edited since or not
    statements.py  a migration → its statements, cut as the Supabase CLI cuts them
    creating.py    a name → the files of a new migration
"""

from promthctl.migration_set.creating import NewMigration, create
from promthctl.migration_set.folder import Migration, discover, packaged_source, present
from promthctl.migration_set.history import HistoryEntry, MigrationRow, listing, matches
from promthctl.migration_set.sync import Conflict, Difference, Rename, SyncPlan, plan_sync, write

__all__ = [
    "Conflict",
    "Difference",
    "HistoryEntry",
    "Migration",
    "MigrationRow",
    "NewMigration",
    "Rename",
    "SyncPlan",
    "create",
    "discover",
    "listing",
    "matches",
    "packaged_source",
    "plan_sync",
    "present",
    "write",
]
