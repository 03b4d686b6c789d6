"""A row made for the proof, and the SQL that inserts, changes and finds one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from psycopg import sql

from promthctl.isolation.tables import ProbedTable

# The condition that finds a row by its place; it is known only once the row is there.
PLACE = sql.SQL("format('tableoid = %s and ctid = %L::tid', tableoid::oid::text, ctid::text)")
HERE = "promthctl_here()"  # stands for that condition in SQL that is written before

_SQL = cast("Callable[[str], sql.SQL]", sql.SQL)  # of texts that are SQL already
Values = dict[str, str | None]  # column → PostgreSQL's text of its value, None for null


@dataclass(frozen=True)
class SampleRow:
    """A row that was accepted.

    given: the columns an insert names, its key among them. values: all of them as text, as they were stored.
    where: finds the row, without an index; keyed: by its primary key, for roles that may not read the whole table.
    found: it was there already, made by a trigger.
    """

    table: ProbedTable
    user: str
    given: Values
    values: Values
    where: sql.Composable
    keyed: sql.Composable
    found: bool = False


def literal(table: ProbedTable, column: str, value: str | None) -> sql.SQL:
    """The value as SQL, cast to the column's type."""
    return _SQL("null" if value is None else _cast(value, table.column[column].sql_type))


def assignments(table: ProbedTable, values: Values) -> sql.SQL:
    """`a = 1, b = 2`"""
    return _SQL(", ".join(_pairs(table, values)))


def insertion(table: ProbedTable, values: Values) -> sql.Composed:
    """The insert statement; values of identity columns are given, because no rollback returns the drawn ones."""
    if not values:
        return sql.SQL("insert into {} default values").format(table.identifier)
    return sql.SQL("insert into {} ({}) overriding system value values ({})").format(
        table.identifier,
        _SQL(", ".join(map(_name, values))),
        _SQL(", ".join(literal(table, name, value).as_string() for name, value in values.items())),
    )


def matching(table: ProbedTable, values: Values) -> sql.SQL:
    """`a = 1 and b = 2`"""
    return _SQL(" and ".join(_pairs(table, values)))


def _pairs(table: ProbedTable, values: Values) -> Iterator[str]:
    for name, value in values.items():
        yield f"{_name(name)} = {literal(table, name, value).as_string()}"


# Spelled once: a table's attempts have the same few values in hundreds of statements.
@lru_cache(maxsize=4096)
def _cast(value: str, type_: str) -> str:
    return f"{sql.Literal(value).as_string()}::{type_}"


@lru_cache(maxsize=4096)
def _name(column: str) -> str:
    return sql.Identifier(column).as_string()


def returning(table: ProbedTable) -> tuple[sql.Composable, str]:
    """A RETURNING that gives a condition which finds the row, and SQL that makes of that one for the row's place.

    The second is empty where the first gives the place. Where a trigger may move the new row, it is found by its key.
    """
    if not table.primary_key or not (table.triggers or table.kind == "p"):
        return sql.SQL(" returning ") + PLACE, ""
    spelled = " and ".join(
        f"{sql.Identifier(name).as_string()} = ".replace("%", "%%")
        + f"%L::{table.column[name].sql_type.replace('%', '%%')}"
        for name in table.primary_key
    )
    keys = sql.SQL(", ").join(map(sql.Identifier, table.primary_key))
    find = sql.SQL("select {} from {} where {}").format(PLACE, table.identifier, sql.SQL(HERE))
    return sql.SQL(" returning format({}, {})").format(sql.Literal(spelled), keys), find.as_string()


def reading(table: ProbedTable, condition: sql.Composable) -> sql.Composed:
    """A query for a row's place, its partition and all of its columns, as texts: what `stored_row` takes."""
    columns = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column.name)) for column in table.columns)
    return sql.SQL("select ctid::text, tableoid::text, {} from {} where {} limit 1").format(
        columns, table.identifier, condition
    )


def stored_row(table: ProbedTable, user: str, given: Values, found: Sequence[str | None]) -> SampleRow:
    """The row that `reading` found."""
    place, part, *texts = found
    where = sql.SQL("ctid = {}::tid").format(place)
    if table.kind == "p":
        where = sql.SQL("tableoid = {}::oid and {}").format(part, where)
    values = dict(zip((column.name for column in table.columns), texts, strict=True))
    keyed = matching(table, {name: values[name] for name in table.primary_key}) if table.primary_key else where
    return SampleRow(table, user, dict(given), values, where, keyed)
