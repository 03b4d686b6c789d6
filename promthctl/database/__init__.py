"""A target's database through psycopg: connect, read the migration history, lock it, change it in one transaction."""

from promthctl.database.advisory_lock import exclusive, wait_for_leftovers
from promthctl.database.connection import connect, encrypted
from promthctl.database.history import history, read_history

__all__ = ["connect", "encrypted", "exclusive", "history", "read_history", "wait_for_leftovers"]
