"""Shadow databases: what the migrations make, read from a throw-away embedded Postgres and kept by content.

The Supabase CLI applies the files, not psycopg, so that whatever it splits, skips or refuses is split, skipped and
refused here exactly as on the target.

cache.py        the catalog, or the states, that migrations make: from the cache, otherwise made and put into the cache
throw_away.py   a fresh Supabase-shaped database that exists while a block runs, with migrations applied or without
kept.py         databases kept as data directories, copies of which run and are thrown away
states.py       the catalog after each of several migrations: recorded while the CLI applies them
recording.py    the SQL that records it, reading again only what a migration touched
"""

from promthctl.engines.embedded.default_privileges import of_target as default_privileges_of
from promthctl.shadow.cache import FOLDER, catalog_after_all, catalog_after_script, states_after_each, trial_database
from promthctl.shadow.kept import KeptDatabase, applied_database, kept_database
from promthctl.shadow.states import BEFORE, CatalogChange, States
from promthctl.shadow.throw_away import ThrowAwayDatabase, remove_leftovers, work_folder

__all__ = [
    "BEFORE",
    "FOLDER",
    "CatalogChange",
    "KeptDatabase",
    "States",
    "ThrowAwayDatabase",
    "applied_database",
    "catalog_after_all",
    "catalog_after_script",
    "default_privileges_of",
    "kept_database",
    "remove_leftovers",
    "states_after_each",
    "trial_database",
    "work_folder",
]
