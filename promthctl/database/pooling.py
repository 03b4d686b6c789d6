"""Whether a connection is a session: a pooler in transaction mode gives its statements to whichever server is free.

An advisory lock, a role or a setting then stays behind on a server connection that others get, and guards nothing.
What is looked at is what happens, so that it holds for every pooler: https://www.pgbouncer.org/features.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, unquote, urlsplit

from promthctl.errors import RefusedError
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[object, ...]]

_ROUNDS = 3  # a pooler that hands its connections out in turn, or at random, is caught by one of them
_BACKEND = "select pg_backend_pid()"
_LOOPBACK = {"127.0.0.1", "::1"}


def check_session(target: Target, connection: Connection, connect_again: Callable[[], Connection]) -> None:
    """Raise RefusedError unless all statements of a new connection reach one server process, and only they.

    connection: in autocommit, nothing was set in it. connect_again: opens a second one, if the first does not tell.
    Raises psycopg.Error. Nothing is left behind.
    """
    if _backend(connection) == connection.info.backend_pid:  # a pooler makes up its own: it has no server then
        return
    with connect_again() as other:
        mode = _pool_mode(connection, other)
    if mode != "session":
        raise _no_session(target, mode, connection)


def _pool_mode(one: Connection, other: Connection) -> Literal["session", "transaction", "statement"]:
    """How the pooler between here and the server shares its connections: two clients never share one of a session."""
    import psycopg

    for _ in range(_ROUNDS):
        first = _backend(one)
        try:
            other.execute("begin")  # keeps the server connection that it gets, perhaps the first one's
        except psycopg.errors.ProtocolViolation:  # pgbouncer: transaction blocks not allowed in statement pooling mode
            return "statement"
        shared = _backend(other) == first or _backend(one) != first
        other.execute("rollback")
        if shared:
            return "transaction"
    return "session"


def _backend(connection: Connection) -> int:
    ((pid,),) = connection.execute(_BACKEND).fetchall()
    return int(str(pid))


def _no_session(target: Target, mode: str, connection: Connection) -> RefusedError:
    return RefusedError(
        f"{target.label} is a pooler in {mode} mode",
        "the statements of a session go to different server connections, so that a lock guards nothing there",
        f"give the database's own address: --db-url {_own_address(target, connection)} as the pooler reaches it, or a"
        " pooler's in session mode (Supabase's has that on port 5432); nothing was changed",
    )


def _own_address(target: Target, connection: Connection) -> str:
    """The URL of the database itself, with the host and port that it says it is reached at."""
    row = connection.execute(
        "select session_user::text, current_database()::text, host(inet_server_addr()), current_setting('port')"
    ).fetchone()
    assert row is not None
    user, database, host, port = (str(value) if value is not None else None for value in row)
    if host is None or host in _LOOPBACK:  # on the pooler's machine
        host = urlsplit(target.url).hostname or ""
    host = f"[{host}]" if ":" in unquote(host) else host
    return f"postgresql://{quote(user or '')}@{host}:{port}/{quote(database or '')}"
