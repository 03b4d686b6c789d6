"""What a SQLSTATE means: whose fault it is, what to do about it, and with which exit code the command ends.

Source: https://www.postgresql.org/docs/17/errcodes-appendix.html. A code is looked up as a whole, then by its class,
its first two characters; of any other only its message is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from promthctl.redact import redact

if TYPE_CHECKING:
    import psycopg

Fault = Literal["file", "contention", "server", "rights", "connection", "unknown"]
# By code or class: whose fault, and what to do; "file": the SQL that was run has to be corrected.
_AGAIN = "run the same command again"
_KNOWN: dict[str, tuple[Fault, str]] = {
    "08": ("connection", f"check the network, then {_AGAIN}"),
    "0A": ("file", ""),
    "21": ("file", ""),
    "22": ("file", ""),
    "23": ("file", ""),
    "25": ("file", ""),
    "25006": ("server", f"connect to the primary server, or make the database writable, then {_AGAIN}"),
    "25P02": ("file", ""),
    "25P03": ("connection", f"raise idle_in_transaction_session_timeout for the role, then {_AGAIN}"),
    "25P04": ("contention", f"raise transaction_timeout for the role, then {_AGAIN}"),
    "26": ("unknown", ""),
    "28": ("rights", "check the user and the password, and that the role may log in"),
    "2B": ("file", ""),
    "2D": ("file", ""),
    "34": ("file", ""),
    "3B": ("file", ""),
    "3D": ("file", ""),
    "3F": ("file", ""),
    "40": ("contention", f"another transaction came in between: {_AGAIN}"),
    "40003": ("connection", f"check the network, then {_AGAIN}"),
    "40P01": ("contention", f"another session locked the same objects in another order: {_AGAIN} when it is quieter"),
    "42": ("file", ""),
    "42501": ("rights", "connect as the owner of these objects (on Supabase: postgres)"),
    "44": ("file", ""),
    "53": ("server", f"the server lacks the room for it: give it more, then {_AGAIN}"),
    "53100": ("server", f"the server's disk is full: free some of it or enlarge it, then {_AGAIN}"),
    "53200": ("server", f"the server is out of memory: end other work there or enlarge it, then {_AGAIN}"),
    "53300": ("server", f"all its connections are taken: close others, or wait, then {_AGAIN}"),
    "54": ("file", ""),
    "55": ("file", ""),
    "55006": ("contention", f"another session is using it: {_AGAIN} when it is quieter"),
    "55P03": ("contention", f"another session holds the lock it needs: {_AGAIN} when it is quieter"),
    "57014": ("contention", f"somebody cancelled it there: {_AGAIN}"),
    "57P01": ("connection", f"an administrator or a restart ended the session: {_AGAIN}"),
    "57P02": ("connection", f"the server crashed and restarts: wait a moment, then {_AGAIN}"),
    "57P03": ("connection", f"the server is starting or stopping: wait a moment, then {_AGAIN}"),
    "57P04": ("server", "the database was dropped meanwhile: create it again, or name another one"),
    "57P05": ("connection", f"the server ended an idle session: {_AGAIN}"),
    "58": ("server", f"the server could not use its own files: see its log, repair that, then {_AGAIN}"),
    "F0": ("server", "the server's configuration file is wrong: see its log"),
    "P0": ("file", ""),
    "XX": ("server", f"the server failed inside: see its log, repair that, then {_AGAIN}"),
}


@dataclass(frozen=True)
class Cause:
    """fault: whose it is. advice: what to do; empty for "file", whose path the caller knows, and for "unknown"."""

    fault: Fault
    advice: str

    @property
    def by_target(self) -> bool:
        """True where the target cannot be worked on at the moment, whatever the SQL: exit code 4."""
        return self.fault in ("server", "connection")


def cause_of(sqlstate: str | None) -> Cause:
    """What an SQLSTATE says; None for a failure that no server reported."""
    code = sqlstate or ""
    return Cause(*_KNOWN.get(code, _KNOWN.get(code[:2], ("unknown", ""))))


def is_lost(sqlstate: str | None) -> bool:
    """True where the session ended, so that what became of its last statement has to be asked by another one."""
    return not sqlstate or cause_of(sqlstate).fault == "connection" or sqlstate == "25P04"


def first_line(error: psycopg.Error) -> str:
    """What PostgreSQL says of an error, without the details that quote rows."""
    said = redact(error.diag.message_primary or str(error)).strip().splitlines()
    return said[0] if said else type(error).__name__
