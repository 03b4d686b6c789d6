"""The rows that migrations leave: every table's, and where its sequences are, compared between two databases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl import database
from promthctl.sql.quoting import identifier
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

# Partitioned tables have no rows of their own; the history is told apart from what it records.
_TABLES = """
select n.nspname, c.relname, array(select a.attname::text from pg_attribute a
  where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'm') and c.relpersistence <> 't' and c.relispopulated
   and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'supabase_migrations') order by 1, 2"""
_SEQUENCES = "select format('%I.%I', schemaname, sequencename), last_value::text from pg_sequences order by 1"

# One table: how many rows, and the digest of each column's values, and of the rows as a whole under "".
Digests = Mapping[str, str]


@dataclass(frozen=True)
class Contents:
    """rows: table → how many. digests: table → column → that of its values. sequences: → the last value."""

    rows: Mapping[str, int]
    digests: Mapping[str, Digests]
    sequences: Mapping[str, str | None]


def read_contents(superuser: Target) -> Contents:
    """Everything in the database, whatever its policies say."""
    rows: dict[str, int] = {}
    digests: dict[str, Digests] = {}
    with database.connect(superuser) as connection:
        for schema, table, columns in _rows(connection, _TABLES):
            name = f"{schema}.{table}"
            values = {"": "(given.*)::text", **{each: f"given.{identifier(each)}::text" for each in columns}}
            parts = [
                f"md5(string_agg(coalesce({text}, 'null'), e'\\n' order by {text} collate \"C\"))"
                for text in values.values()
            ]
            query = f"select count(*), {', '.join(parts)} from only {identifier(schema, table)} given"  # noqa: S608 - quoted
            ((number, *found),) = _rows(connection, query)
            rows[name], digests[name] = int(number), dict(zip(values, map(str, found), strict=True))
        sequences = {str(name): value for name, value in _rows(connection, _SEQUENCES)}
    return Contents(rows, digests, sequences)


def with_rows(before: Contents, after: Contents) -> tuple[str, ...]:
    """The tables whose rows are not those from before."""
    return tuple(
        name
        for name in after.rows
        if (after.digests[name] != before.digests[name] if name in before.rows else after.rows[name])
    )


def differing(
    wanted: Contents, now: Contents, again: Callable[[], Contents]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tables and sequences whose contents differ, and the columns that differ by themselves.

    again: makes what is wanted once more: what is different there was taken from the clock or from chance.
    """
    names = [name for name in {**wanted.digests, **now.digests} if wanted.digests.get(name) != now.digests.get(name)]
    counters = tuple(
        name for name in {**wanted.sequences, **now.sequences} if wanted.sequences.get(name) != now.sequences.get(name)
    )
    if not names:
        return counters, ()
    other = again()
    differ, volatile = list(counters), list[str]()
    for name in names:
        first, second, third = (each.digests.get(name, {}) for each in (wanted, other, now))
        own = {column for column in first if first[column] != second.get(column)}
        same = wanted.rows.get(name) == now.rows.get(name) and first.keys() == third.keys()
        if not same or any(first[column] != third[column] for column in first if column not in own):
            differ.append(name)
        volatile += [f"{name}.{column}" for column in sorted(own) if column]
    return tuple(differ), tuple(volatile)


def _rows(connection: psycopg.Connection[Any], query: str) -> list[Any]:
    return connection.execute(query.encode()).fetchall()
