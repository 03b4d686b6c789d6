"""psycopg's connection to a target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from promthctl.database.connection_errors import lost, unreachable
from promthctl.database.pooling import check_session
from promthctl.errors import UsageError
from promthctl.redact import redact
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[object, ...]]

_CONNECT_SECONDS = 10
_sessions: set[str] = set()  # URLs that were seen to give a session


@contextmanager
def connect(target: Target) -> Iterator[Connection]:
    """A connection in autocommit, which is a session.

    Raises TargetError when the target does not answer, refuses the credentials, or goes away while the block runs;
    UsageError for a URL libpq refuses, RefusedError for a pooler that gives no session.
    """
    import psycopg

    with ExitStack() as opened:
        connection = session(target)
        opened.callback(connection.close)
        try:
            yield connection
        except psycopg.Error as error:
            if connection.broken:
                raise lost(target, str(error)) from None
            raise


def session(target: Target) -> Connection:
    """A connection in autocommit, which is a session, for the caller to close. Raises as connect does."""
    import logging

    import psycopg

    logging.getLogger("psycopg").addHandler(
        logging.NullHandler()
    )  # its warning about a broken connection repeats the error
    with ExitStack() as opened:
        try:
            connection = _open(target)
            opened.callback(connection.close)
            if not target.local and target.url not in _sessions:
                check_session(target, connection, lambda: _open(target))
                _sessions.add(target.url)
            if target.steps_down:
                connection.execute("set session role postgres")
        except psycopg.ProgrammingError as error:
            raise _refused_url(target, redact(str(error)).strip()) from None
        except psycopg.Error as error:
            raise unreachable(target, str(error)) from None
        opened.pop_all()
        return connection


def _open(target: Target) -> Connection:
    import psycopg

    return psycopg.connect(
        target.url,
        password=target.secret(),
        sslmode=target.sslmode,
        sslpassword=target.key_password,
        connect_timeout=_CONNECT_SECONDS,
        client_encoding="UTF8",  # of a database in SQL_ASCII psycopg would give bytes
        autocommit=True,
    )


def _refused_url(target: Target, message: str) -> UsageError:
    """message: libpq's, https://github.com/postgres/postgres/blob/master/src/interfaces/libpq/fe-connect.c"""
    hint = "correct the URL and run the same command again"
    if "query parameter" in message:
        hint = "correct what follows the ? in it"
    elif "percent-encoded" in message:
        hint = "correct the escapes in it: a % that stands for itself is written %25"
    return UsageError(f"The URL of {target.label} cannot be used", message, hint)


def encrypted(target: Target) -> bool:
    """True if a connection to it uses TLS. Raises as connect does."""
    with connect(target) as connection:
        return bool(connection.pgconn.ssl_in_use)
