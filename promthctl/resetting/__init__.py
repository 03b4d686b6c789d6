"""The reset of a target by the Supabase CLI: what goes, what stays, whether the replay can succeed, and the backup.

contents.py   what a reset takes from a database: schemas, tables with their rows, users
survivors.py  what the CLI's reset of a database leaves there: roles, buckets, secrets, standalone sequences …
replay.py     the reset tried in a throw-away database that is made like the target
saving.py     the rows that go, exported first
target.py     the plan, and the reset itself
"""

from promthctl.resetting.contents import Contents, TableRows, count_tables, read_contents
from promthctl.resetting.replay import for_the_person, not_to_be_had
from promthctl.resetting.survivors import Survivor, read_survivors
from promthctl.resetting.target import ResetPlan, ResetResult, check_typed_name, plan_reset, reset_target

__all__ = [
    "Contents",
    "ResetPlan",
    "ResetResult",
    "Survivor",
    "TableRows",
    "check_typed_name",
    "count_tables",
    "for_the_person",
    "not_to_be_had",
    "plan_reset",
    "read_contents",
    "read_survivors",
    "reset_target",
]
