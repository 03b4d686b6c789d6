"""The SQL from one database to another: drafted by the Supabase CLI's pg-delta, proven by running it.

The engine's own help calls what it prints SQL for review. So it is run in a transaction of a throw-away database, the
catalog is compared with the one wanted, and what is still missing is added from schema/'s own SQL, where that works.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl.errors import PromthctlError
from promthctl.redact import redact
from promthctl.schema import Catalog, Difference, compare, snapshot
from promthctl.sql.statements import NotSqlError, parse_statements

if TYPE_CHECKING:
    import psycopg

_ROUNDS = 3  # what one fix makes possible, the next may need


@dataclass(frozen=True)
class Draft:
    """sql: what was seen to run. left: the differences that it was seen to leave."""

    sql: str
    left: tuple[Difference, ...]


def prove(
    connection: psycopg.Connection[Any], sql: str, wanted: Catalog, schemas: Sequence[str], additions: str = ""
) -> Draft:
    """Run the engine's SQL in the connection's transaction, and complete it until the catalog is the one wanted.

    schemas: those that count; none for all. additions: SQL of ours that has to follow. Nothing is committed here.
    Raises PromthctlError for SQL that does not run.
    """
    import psycopg

    run(connection, sql)
    parts = [sql.strip()]
    if additions:
        run(connection, additions)
        parts.append(additions)
    for _ in range(_ROUNDS):
        fixed = False
        for one in _left(connection, wanted, schemas):
            try:
                with connection.transaction():
                    if statements := [each for each in parse_statements(one.fix) if each.node]:
                        for statement in statements:
                            connection.execute(statement.text.encode(), prepare=False)
                        parts.append(one.fix)
                        fixed = True
            except (psycopg.Error, NotSqlError):
                continue  # it stays among what is left
        if not fixed:
            break
    return Draft("\n\n".join(part for part in parts if part), _left(connection, wanted, schemas))


def run(connection: psycopg.Connection[Any], sql: str) -> None:
    """Run it statement by statement, as a migration. Raises PromthctlError that names the statement."""
    import psycopg

    for statement in parse_statements(sql):
        try:
            connection.execute(statement.text.encode(), prepare=False)
        except psycopg.Error as error:
            if connection.broken:
                raise
            why = redact(error.diag.message_primary or str(error)).strip()
            raise PromthctlError(
                "No SQL was written: what the Supabase CLI's diff engine wrote does not run",
                f"tried in a throw-away database: {why}\n    {statement.text}",
                "promthctl verify lists the differences, each with SQL that removes it",
            ) from None
    connection.execute("set constraints all immediate")


def _left(connection: psycopg.Connection[Any], wanted: Catalog, schemas: Sequence[str]) -> tuple[Difference, ...]:
    return tuple(one for one in compare(wanted, snapshot(connection)) if not schemas or in_schemas(one, schemas))


def in_schemas(one: Difference, schemas: Sequence[str]) -> bool:
    """Whether a difference is about one of these schemas, or about something in one."""
    from promthctl.sql.quoting import identifier

    words = one.name.removeprefix("table ").removeprefix("sequence ").removeprefix("function ")
    words = words.removeprefix("procedure ").removeprefix("schema ")
    if one.kind == "publications":
        words = words.rpartition(": ")[2]
    place = words.partition(" in schema ")[2] if one.kind == "default_privileges" else words
    return any(place == name or place.startswith((f"{name}.", f"{name} ")) for name in map(identifier, schemas))
