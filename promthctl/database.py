"""psycopg: connect to a target and read what the Supabase CLI keeps there. Nothing here writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from promthctl.errors import TargetError, UsageError
from promthctl.migration_set import HistoryEntry
from promthctl.redact import redact
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

_CONNECT_SECONDS = 10


@contextmanager
def connect(target: Target) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection in autocommit.

    Raises TargetError when the target does not answer or refuses the credentials, UsageError for a URL libpq refuses.
    """
    import psycopg

    try:
        connection = psycopg.connect(
            target.url, password=target.password, connect_timeout=_CONNECT_SECONDS, autocommit=True
        )
    except psycopg.ProgrammingError as error:
        raise UsageError(
            f"The URL of {target.label} cannot be used", redact(str(error)).strip(), "correct what follows the ? in it"
        ) from None
    except psycopg.Error as error:
        raise unreachable(target, str(error)) from None
    with connection:
        yield connection


def history(target: Target) -> dict[str, HistoryEntry]:
    """The migration history by version; empty where no migration was ever applied.

    Source of the table's form: pkg/migration/history.go of the Supabase CLI.
    """
    with connect(target) as connection:
        found = connection.execute("select to_regclass('supabase_migrations.schema_migrations')").fetchone()
        if found is None or found[0] is None:
            return {}
        rows = connection.execute(
            "select version, coalesce(name, ''), coalesce(statements, '{}')"
            " from supabase_migrations.schema_migrations order by version"
        ).fetchall()
    return {str(version): HistoryEntry(str(version), str(name), tuple(lines)) for version, name, lines in rows}  # type: ignore[arg-type]


def unreachable(target: Target, message: str) -> TargetError:
    """What to tell when a connection failed; `message` is libpq's."""
    lines = redact(message).strip().splitlines() or ["no answer"]
    why = lines[0].removeprefix("connection failed: ")  # what follows is advice, or another address of the same host
    if "password" in message or "authentication" in message:
        hint = "check the user and the password (in the URL, PGPASSWORD or SUPABASE_DB_PASSWORD)"
    elif "does not exist" in message:
        hint = "correct the database or the user in the URL, or create it there"
    elif target.local:
        hint = "promthctl local up"
    else:
        hint = "check the host, the port and the network, then run the same command again"
    return TargetError(f"Cannot connect to {target.label}", why, hint)
