"""A target's database through psycopg.

connection.py         connect, with the target's password and TLS mode
connection_errors.py  why a connection failed, and what to do about it
pooling.py            whether a connection is a session, or a pooler in transaction mode
history.py            the migration history that the Supabase CLI keeps there
lock_waits.py         who keeps a session waiting for a lock, and the end of a wait that takes too long
advisory_lock.py      one promthctl at a time on a database; what a killed push left running
transactions.py       one transaction that changes a database, and the errors of its statements
"""

from promthctl.database.advisory_lock import exclusive, wait_for_leftovers
from promthctl.database.connection import connect, encrypted
from promthctl.database.history import fetch_history, read_history

__all__ = ["connect", "encrypted", "exclusive", "fetch_history", "read_history", "wait_for_leftovers"]
