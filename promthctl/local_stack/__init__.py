"""The local stack: an engine with the project's migrations on it, changed by one promthctl at a time.

up      start it, sync the migrations, apply what is pending
down    stop it, or remove its data too
status  what runs, and how far the migrations are
env     how an app reaches it, as variables of an env file
reset   make a new database, replay the migrations, run the seeds; bring the one before back (imported where it is used)
"""

from __future__ import annotations

from promthctl.local_stack.down import DownResult, down
from promthctl.local_stack.env import EnvResult, variables, write_env
from promthctl.local_stack.status import MigrationState, StatusResult, status
from promthctl.local_stack.up import UpResult, up

__all__ = [
    "DownResult",
    "EnvResult",
    "MigrationState",
    "StatusResult",
    "UpResult",
    "down",
    "status",
    "up",
    "variables",
    "write_env",
]
