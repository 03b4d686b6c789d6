"""The local stack: an engine with the project's migrations on it, changed by one promthctl at a time.

up      start it, sync the migrations, apply what is pending
down    stop it, or remove its data too
status  what runs, and how far the migrations are
env     how an app reaches it, as variables of an env file
reset   drop what the migrations made and replay them, run the seeds
"""

from __future__ import annotations

from promthctl.local_stack.down import DownResult, down
from promthctl.local_stack.env import EnvResult, write_env
from promthctl.local_stack.reset import LocalResetResult, reset
from promthctl.local_stack.status import MigrationState, StatusResult, status
from promthctl.local_stack.up import UpResult, up

__all__ = [
    "DownResult",
    "EnvResult",
    "LocalResetResult",
    "MigrationState",
    "StatusResult",
    "UpResult",
    "down",
    "reset",
    "status",
    "up",
    "write_env",
]
