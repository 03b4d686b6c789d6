"""SQL run on a target.

What may only read runs in a read-only transaction that is rolled back. In it PostgreSQL refuses to write, and to make
it writable once a query ran, whatever the statements, their functions or DO blocks try; only its end would help, and
statements that end it are refused before anything runs. Each is sent by the extended protocol, which takes one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl import database
from promthctl.database.sqlstates import cause_of
from promthctl.database.transactions import changing, database_failure
from promthctl.errors import PromthctlError, RefusedError
from promthctl.querying.callers import become
from promthctl.querying.script import Script, Statement
from promthctl.sql.tokens import line_at
from promthctl.steps import Steps
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

Value = str | int | float | bool | None | list[Any] | dict[str, Any]
_PAGE = 500
_READ_ONLY, _NOT_IN_A_TRANSACTION = "25006", "25001"
_BOOL, _JSON = 16, (114, 3802)  # object ids of types, from pg_type.dat
_INTEGERS, _FLOATS = (20, 21, 23, 26), (700, 701)
_NUMBERS = (*_INTEGERS, *_FLOATS, 1700)


@dataclass(frozen=True)
class Column:
    """type: as PostgreSQL calls it, or its object id. number: it is shown to the right."""

    name: str
    type: str
    number: bool


@dataclass(frozen=True)
class QueryResult:
    """line: of the statement. command: as the server tags it, e.g. SELECT 3. columns: empty where it gives no rows.

    rows: the values as PostgreSQL writes them, None for NULL. more: there are rows beyond the limit.
    """

    line: int
    command: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str | None, ...], ...]
    oids: tuple[int, ...]
    more: bool = False

    def objects(self) -> list[dict[str, Value]]:
        """The rows for JSON: whole numbers, floats, booleans and JSON as such, all else as text, so that no digit is
        lost. A name that comes twice gets a number.
        """
        names: list[str] = []
        for column in self.columns:
            count = sum(name == column.name or name.startswith(f"{column.name}_") for name in names)
            names.append(f"{column.name}_{count + 1}" if column.name in names else column.name)
        return [dict(zip(names, map(_value, row, self.oids), strict=True)) for row in self.rows]


@dataclass(frozen=True)
class SqlResult:
    """caller: as whom it ran, None for the connection's own role. written: what it changed is committed."""

    target: str
    caller: str | None
    written: bool
    results: tuple[QueryResult, ...]


def read(target: Target, script: Script, caller: str | None = None, limit: int | None = None) -> SqlResult:
    """Run statements that may read only. caller: see callers.become. limit: how many rows of each are fetched.

    Raises RefusedError for a statement that writes, PromthctlError for one that fails, TargetError for a target that
    does not answer, and as become does.
    """
    with database.connect(target) as connection:
        connection.execute("begin isolation level repeatable read read only")
        connection.execute("select 1")  # from here on it cannot be made writable
        try:
            if caller is not None:
                become(connection, caller, target)
            results = tuple(_in_order(connection, script, limit, by_cursor=True))
        except _OnlyAloneError:
            why = "one of the statements runs in no transaction, and only one keeps it from writing"
            raise RefusedError("The SQL was not run", why, "run the same command again with --write") from None
        finally:
            if not connection.broken:
                connection.execute("rollback")
    return SqlResult(target.label, caller, False, results)


def write(target: Target, script: Script, caller: str | None, limit: int | None, steps: Steps) -> SqlResult:
    """Run statements in one transaction, and commit it. A single one that runs in none, as VACUUM, runs alone.

    Raises as `read` does; then nothing was changed.
    """
    try:
        with changing(target, "The SQL failed", steps, keep=True) as change:
            if caller is not None:
                become(change.connection, caller, target)
            results = tuple(_in_order(change.connection, script, limit, by_cursor=False))
    except _OnlyAloneError:
        if len(script.statements) > 1 or caller is not None:
            why = "one of the statements runs in no transaction; nothing was changed"
            raise PromthctlError("The SQL failed", why, "give it alone, and without --as") from None
        results = _alone(target, script, limit)
    return SqlResult(target.label, caller, True, results)


class _OnlyAloneError(Exception):
    """A statement that PostgreSQL does not run in a transaction."""


def _alone(target: Target, script: Script, limit: int | None) -> tuple[QueryResult, ...]:
    with database.connect(target) as connection:
        return tuple(_in_order(connection, script, limit, by_cursor=False))


def _in_order(
    connection: psycopg.Connection[Any], script: Script, limit: int | None, *, by_cursor: bool
) -> Iterator[QueryResult]:
    import psycopg

    for statement in script.statements:
        try:
            if by_cursor and statement.selects:
                yield _by_pages(connection, statement, limit)
            else:
                cursor = connection.execute(statement.text.encode(), prepare=True)
                yield _result(statement, cursor, _rows(cursor), limit)
        except psycopg.Error as error:
            if connection.broken or cause_of(error.sqlstate).fault == "contention":  # whoever opened it knows more
                raise
            raise _failure(script, statement, error) from None


_CURSOR = "declare promthctl no scroll cursor for "


def _by_pages(connection: psycopg.Connection[Any], statement: Statement, limit: int | None) -> QueryResult:
    """The rows of a query, no more of them than are wanted, and one."""
    connection.execute(f"{_CURSOR}{statement.text}".encode(), prepare=True)
    rows: list[tuple[str | None, ...]] = []
    while True:
        wanted = _PAGE if limit is None else min(_PAGE, limit + 1 - len(rows))
        cursor = connection.execute(f"fetch {wanted} from promthctl".encode())
        page = _rows(cursor)
        rows += page
        if len(page) < wanted or (limit is not None and len(rows) > limit):
            break
    connection.execute("close promthctl")
    return _result(statement, cursor, rows, limit, f"SELECT {len(rows) if limit is None else min(len(rows), limit)}")


def _rows(cursor: psycopg.Cursor[Any]) -> list[tuple[str | None, ...]]:
    """As PostgreSQL writes them: nothing is converted that another client might convert otherwise."""
    result = cursor.pgresult
    if result is None or cursor.description is None:
        return []
    return [
        tuple(
            None if (value := result.get_value(row, column)) is None else bytes(value).decode(errors="replace")
            for column in range(result.nfields)
        )
        for row in range(result.ntuples)
    ]


def _result(
    statement: Statement,
    cursor: psycopg.Cursor[Any],
    rows: list[tuple[str | None, ...]],
    limit: int | None,
    command: str = "",
) -> QueryResult:
    described = cursor.description or ()
    oids = tuple(column.type_code for column in described)
    types = cursor.connection.adapters.types
    columns = tuple(
        Column(column.name, _type_name(types.get(oid), oid), oid in _NUMBERS)
        for column, oid in zip(described, oids, strict=True)
    )
    shown = rows if limit is None else rows[:limit]
    return QueryResult(
        statement.line, command or cursor.statusmessage or "", columns, tuple(shown), oids, len(shown) < len(rows)
    )


def _type_name(known: psycopg.types.TypeInfo | None, oid: int) -> str:
    if known is None:
        return str(oid)
    return f"{known.name}[]" if oid == known.array_oid else known.name


def _value(text: str | None, oid: int) -> Value:
    if text is None:
        return None
    if oid == _BOOL:
        return text == "t"
    if oid in _INTEGERS:
        return int(text)
    if oid in _FLOATS:
        return float(text) if math.isfinite(float(text)) else text
    if oid in _JSON:
        value: Value = json.loads(text)
        return value
    return text


def _failure(script: Script, statement: Statement, error: psycopg.Error) -> PromthctlError | _OnlyAloneError:
    """A statement's error, with its line."""
    if error.sqlstate == _NOT_IN_A_TRANSACTION and "transaction block" in str(error):
        return _OnlyAloneError()
    line, position = statement.line, int(error.diag.statement_position or 0)
    if position:
        moved = len(_CURSOR) if statement.selects and position > len(_CURSOR) else 0
        line += line_at(statement.text, min(position - 1 - moved, len(statement.text))) - 1
    if error.sqlstate == _READ_ONLY:
        return RefusedError(
            "Nothing was changed: the SQL would write",
            f"{script.at(line)}: {error.diag.message_primary}",
            "run the same command again with --write, which commits it",
        )
    return database_failure("The SQL failed", error, "nothing was changed", f"{script.at(line)}: ")
