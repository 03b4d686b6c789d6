"""What COPY … TO STDOUT gives, in larger pieces than the row at a time that PostgreSQL sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq.abc import PGconn

_BLOCK = 1 << 15  # bytes


def blocks(cursor: psycopg.Cursor[Any], copy: psycopg.Copy) -> Iterator[bytes]:
    """copy: just begun by this cursor. Raises psycopg.Error where the server ends it so.

    psycopg goes through its waiting for every row, which takes longer than the server's work: the rows that libpq has
    already are taken from there, as PQgetCopyData's documentation says.
    """
    connection = cursor.connection.pgconn
    held, length = list[Any](), 0
    while row := copy.read():
        held.append(row)
        length += len(row)
        more, row = connection.get_copy_data(1)
        while more > 0:
            held.append(row)
            length += more
            more, row = connection.get_copy_data(1)
        if length >= _BLOCK or more < 0:
            yield b"".join(held)
            held, length = [], 0
        if more < 0:  # the end, which psycopg does not ask for again
            _finish(connection)
            return
    if held:
        yield b"".join(held)


def _finish(connection: PGconn) -> None:
    """Read how it ended."""
    from psycopg import errors, pq

    ended = None
    while (result := connection.get_result()) is not None:
        ended = ended or result
    if ended is None or ended.status != pq.ExecStatus.COMMAND_OK:
        raise errors.error_from_result(ended) if ended else errors.OperationalError("the connection is lost")
