"""Whether two databases have the same rows: their number and a checksum of each table, by queries of their own.

The checksum is the sum of the rows' hashes, which no order changes. Types whose hashes depend on the database (enums by
their oid) or that have none are hashed as text, in the same spelling on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl.copies.row_copy import SPELLING, SourceTable
from promthctl.schema.queries import MANAGED_SCHEMAS
from promthctl.sql.quoting import identifier

if TYPE_CHECKING:
    import psycopg

# Their hashes are of the value alone. Text is compared byte by byte, as collations differ between machines.
_HASHED = ("smallint", "integer", "bigint", "boolean", "uuid", "date", "bytea", "inet",
           "timestamp with time zone", "timestamp without time zone")  # fmt: skip
_TEXTS = ("text", "character varying")
_COLUMNS = """
select attname::text, format_type(atttypid, null), format_type(atttypid, atttypmod), attgenerated <> ''
  from pg_attribute
 where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attname"""


@dataclass(frozen=True)
class Sum:
    rows: int
    checksum: str


def plan(
    connection: psycopg.Connection[Any], table: SourceTable, instead: Mapping[tuple[str, str], str]
) -> tuple[str, str] | None:
    """What both sides are asked: of the source and of its copy. connection: to the copy. None without columns."""
    source, copy = list[str](), list[str]()
    for name, type_, exact, generated in connection.execute(_COLUMNS, (table.quoted,)).fetchall():
        if name not in table.columns and not generated:  # the source does not have it
            continue
        if generated and (table.schema in MANAGED_SCHEMAS or any(masked == table.label for masked, _ in instead)):
            continue
        plain = identifier(name)
        for columns, asked in ((source, instead.get((table.label, name), plain)), (copy, plain)):
            same = f"({asked})::{exact}" if asked != plain else asked
            columns.append(_hashable(same, type_))
    return (_query(table, source), _query(table, copy)) if copy else None


def _hashable(value: str, type_: str) -> str:
    """Written by the type's output function: a cast may be somebody's own, and the copy is asked as a superuser."""
    if type_ in _HASHED:
        return value
    if type_ in ("text", "character varying"):
        return f'({value}) collate "C"'
    return f"case when ({value}) is distinct from null then format('%s', {value}) end collate \"C\""


def _query(table: SourceTable, columns: Sequence[str]) -> str:
    names = ", ".join(f"{one} as c{place}" for place, one in enumerate(columns))
    # Numbers this size do not lose their lower digits in a sum of numeric.
    return f"select count(*), coalesce(sum({{hash}}), 0)::text from (select {names} from {table.source}) r"  # noqa: S608


def add_up(connection: psycopg.Connection[Any], query: str, oldest: int) -> Sum:
    """oldest: the major version of the older one of both servers, which decides how rows are hashed."""
    text = "('x' || substr(md5(r::text), 1, 16))::bit(64)::bigint"
    hashed = "hash_record_extended(r, 0)" if oldest >= 14 else text
    row = connection.execute(query.replace("{hash}", hashed).encode(), prepare=False).fetchone()
    assert row is not None
    return Sum(int(row[0]), str(row[1]))


def spell(connection: psycopg.Connection[Any]) -> None:
    """Have values written as on the other side."""
    connection.execute(f"{SPELLING}; set timezone = 'UTC'; set extra_float_digits = 1".encode())
