"""psycopg's connection to a target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from promthctl.database.connection_errors import lost, unreachable
from promthctl.errors import UsageError
from promthctl.redact import redact
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

_CONNECT_SECONDS = 10


@contextmanager
def connect(target: Target) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection in autocommit.

    Raises TargetError when the target does not answer, refuses the credentials, or goes away while the block runs;
    UsageError for a URL libpq refuses.
    """
    import logging

    import psycopg

    logging.getLogger("psycopg").addHandler(
        logging.NullHandler()
    )  # its warning about a broken connection repeats the error
    try:
        connection = psycopg.connect(
            target.url,
            password=target.secret(),
            sslmode=target.sslmode,
            connect_timeout=_CONNECT_SECONDS,
            autocommit=True,
        )
        if target.steps_down:
            connection.execute("set session role postgres")
    except psycopg.ProgrammingError as error:
        raise UsageError(
            f"The URL of {target.label} cannot be used", redact(str(error)).strip(), "correct what follows the ? in it"
        ) from None
    except psycopg.Error as error:
        raise unreachable(target, str(error)) from None
    try:
        yield connection
    except psycopg.Error as error:
        if connection.broken:
            raise lost(target, str(error)) from None
        raise
    finally:
        connection.close()


def encrypted(target: Target) -> bool:
    """True if a connection to it uses TLS. Raises as connect does."""
    with connect(target) as connection:
        return bool(connection.pgconn.ssl_in_use)
