"""The project's own SQL for a fresh database: supabase/roles.sql before the migrations, the seeds after them.

files         which files those are: [db.seed] of supabase/config.toml, read as the Supabase CLI reads it
running       one file, statement by statement, in one transaction with its entry in the record
psql_lines    the lines for psql that a dump has: which can be left out, and what to do about the others
record        supabase_migrations.seed_files, where the CLI keeps which seeds were run
applying      the roles and the seeds of a project, run on a target
new_database  what `local up` does on a database that is new, and what it says on any other
"""

from promthctl.seeds.applying import SeedPlan, SeedResult, plan_seeds, run_planned, run_roles, run_seeds
from promthctl.seeds.files import SqlFile, find_roles, find_seeds, match_files, recorded_name, watched_files
from promthctl.seeds.new_database import Start, after_migrations, before_migrations, forget_due
from promthctl.seeds.running import FileRun

__all__ = [
    "FileRun",
    "SeedPlan",
    "SeedResult",
    "SqlFile",
    "Start",
    "after_migrations",
    "before_migrations",
    "find_roles",
    "find_seeds",
    "forget_due",
    "match_files",
    "plan_seeds",
    "recorded_name",
    "run_planned",
    "run_roles",
    "run_seeds",
    "watched_files",
]
