"""How the statements of a test file are sent: as they are, or within a transaction that is always rolled back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from promthctl.sql.tokens import sql_words

if TYPE_CHECKING:
    import psycopg

_MAYBE = re.compile(rb"\s*(?:--|/\*|begin|start|commit|end|rollback|abort|prepare)", re.IGNORECASE)
_INNER = "promthctl_file"  # the savepoint that a file's own transaction becomes


class Sent(Protocol):
    """Sends one statement and yields a cursor for each of its results. Raises psycopg.Error."""

    def send(self, connection: psycopg.Connection[Any], text: bytes) -> Iterator[psycopg.Cursor[Any]]: ...


class AsWritten:
    """On a copy: what a file commits stays there."""

    def send(self, connection: psycopg.Connection[Any], text: bytes) -> Iterator[psycopg.Cursor[Any]]:
        cursor = connection.execute(text, prepare=False)
        yield cursor
        while cursor.nextset():
            yield cursor


class Guarded(AsWritten):
    """On a database that nothing may stay in: BEGIN, COMMIT and ROLLBACK of a file become those of a savepoint.

    The caller has begun the transaction and rolls it back. One for each file.
    """

    def __init__(self) -> None:
        self._inside = False

    def send(self, connection: psycopg.Connection[Any], text: bytes) -> Iterator[psycopg.Cursor[Any]]:
        for one in self._instead(text):
            yield from super().send(connection, one)

    def _instead(self, text: bytes) -> tuple[bytes, ...]:
        if not _MAYBE.match(text):
            return (text,)
        match transaction_command(text):
            case "begin" if not self._inside:
                self._inside = True
                return (f"savepoint {_INNER}".encode(),)
            case "commit" if self._inside:
                self._inside = False
                return (f"release savepoint {_INNER}".encode(),)
            case "rollback" if self._inside:
                self._inside = False
                return (f"rollback to savepoint {_INNER}".encode(), f"release savepoint {_INNER}".encode())
            case "begin" | "commit" | "rollback":  # psql would only warn
                return ()
            case "prepare":
                return (b"do $$ begin raise 'prepare transaction cannot be rolled back here'; end $$",)
        return (text,)


def transaction_command(text: bytes) -> str:
    """begin, commit, rollback or prepare for a statement that begins or ends a transaction; empty for any other."""
    words = sql_words(text.decode("latin-1"))
    first, second = (*words[:2], "", "")[:2]
    if first == "begin" or (first, second) == ("start", "transaction"):
        return "begin"
    if first in ("commit", "end"):
        return "prepare" if second == "prepared" else "commit"
    if first in ("rollback", "abort"):
        return "prepare" if second == "prepared" else "" if "to" in words[1:3] else "rollback"
    return "prepare" if (first, second) == ("prepare", "transaction") else ""
