"""A target's database through psycopg.

connection.py         connect, with the target's password and TLS mode
connection_errors.py  why a connection failed, and what to do about it
pooling.py            whether a connection is a session, or a pooler in transaction mode
history.py            the migration history that the Supabase CLI keeps there
lock_waits.py         who keeps a session waiting for a lock, and the end of a wait that takes too long
advisory_lock.py      one promthctl at a time on a database; what a killed push left running
transactions.py       one transaction that changes a database, and the errors of its statements
sqlstates.py          what a SQLSTATE means: whose fault it is, and what to do
aftermath.py          what a database says after a run on it failed or ended
"""

from promthctl.database.advisory_lock import exclusive, wait_for_leftovers
from promthctl.database.aftermath import Aftermath, advice_for, ask_again, confirm_history, outcome_of
from promthctl.database.connection import connect, encrypted, session
from promthctl.database.history import fetch_history, read_history

__all__ = [
    "Aftermath",
    "advice_for",
    "ask_again",
    "confirm_history",
    "connect",
    "encrypted",
    "exclusive",
    "fetch_history",
    "outcome_of",
    "read_history",
    "session",
    "wait_for_leftovers",
]
