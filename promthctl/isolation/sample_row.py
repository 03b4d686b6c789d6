"""A row made for the proof, and the SQL that inserts, changes and finds one."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from promthctl.isolation.tables import ProbedTable

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


def literal(table: ProbedTable, column: str, value: str | None) -> sql.Composable:
    """The value as SQL, cast to the column's type."""
    if value is None:
        return sql.SQL("null")
    return sql.SQL("{}::{}").format(sql.Literal(value), sql.SQL(table.column[column].sql_type))


def assignments(table: ProbedTable, values: Values) -> sql.Composable:
    """`a = 1, b = 2`"""
    return sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), literal(table, name, value)) for name, value in values.items()
    )


def insertion(table: ProbedTable, values: Values) -> sql.Composable:
    """The insert statement; values of identity columns are given, because no rollback returns the drawn ones."""
    if not values:
        return sql.SQL("insert into {} default values").format(table.identifier)
    return sql.SQL("insert into {} ({}) overriding system value values ({})").format(
        table.identifier,
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(literal(table, name, value) for name, value in values.items()),
    )


def matching(table: ProbedTable, values: Values) -> sql.Composable:
    """`a = 1 and b = 2`"""
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), literal(table, name, value)) for name, value in values.items()
    )
