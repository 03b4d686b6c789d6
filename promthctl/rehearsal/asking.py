"""Questions to the target: how many of its rows a finding is about. Only read, with a limit on each and on all.

A condition that a migration brings is evaluated on the target only where it calls nothing but what PostgreSQL itself
has and what changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from promthctl.rehearsal.demands import Demand, columns_in, printed
from promthctl.rehearsal.model import RowsAtRisk
from promthctl.rehearsal.observer import Content
from promthctl.schema.queries import MANAGED_SCHEMAS
from promthctl.sql.quoting import identifier

if TYPE_CHECKING:
    import psycopg

_SECONDS, _ALL_SECONDS = 5.0, 20.0
_STEADY = """
select p.proname::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
 where n.nspname = 'pg_catalog' group by 1 having bool_and(p.provolatile <> 'v')"""
_EXAMPLES = 3
# What Supabase's services write down of their own migrations; nobody loses rows of these.
_LEDGERS = ("schema_migrations", "migrations")
_RANDOM = frozenset(("gen_random_uuid", "clock_timestamp", "random"))


class Asker:
    """Asks one target. connection: in autocommit.

    refused: the SQLSTATE with which it answered the last question; empty for an answer.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection, self._left = connection, _ALL_SECONDS
        self._steady: frozenset[str] | None = None
        self.refused = ""

    def rows(self, table: Content, columns: Collection[str] = ()) -> RowsAtRisk | None:
        """A table's rows, or those with a value in one of the columns."""
        condition = " or ".join(f"{identifier(name)} is not null" for name in columns)
        count = self.count(table, condition or "true")
        if count is not None:
            return RowsAtRisk(count, exact=True)
        found = self._ask(
            "select case when c.reltuples < 0 then null else c.reltuples::bigint end from pg_class c"
            " where c.oid = to_regclass(%s)",
            (_name(table),),
        )
        return None if found is None else RowsAtRisk(found, exact=False)

    def nothing_in(self, tables: Collection[Content]) -> bool:
        """Whether the target has no row in any of the tables; False where that cannot be told."""
        filled = " or ".join(
            f"exists (select from {_name(table)})"
            for table in tables
            if table.schema not in MANAGED_SCHEMAS or table.name not in _LEDGERS
        )
        return self._ask(f"select ({filled or 'false'})::int") == 0

    def count(self, table: Content, condition: str, other: Content | None = None) -> int | None:
        """How many rows meet the condition; {t} and {o} in it are the tables. None where that cannot be told."""
        condition = _filled(condition, table, other)
        return self._ask(f"select count(*) from {_name(table)} where {condition}")  # noqa: S608 - checked by `asked`

    def violations(self, demand: Demand, table: Content, other: Content | None) -> int | None:
        """How many rows do not meet the demand; None where that cannot be told, or where the query fails on them."""
        self.refused = ""
        if not all(self.harmless(part) for part in demand.expressions):
            return None
        if demand.query:
            return self._ask(_filled(demand.query, table, other))
        return self.count(table, demand.bad, other)

    def harmless(self, node: Any) -> bool:
        """True for an expression that PostgreSQL's own functions evaluate without changing anything."""
        from pglast.visitors import Visitor

        names: list[tuple[str, ...]] = []
        fine = True

        class Calls(Visitor):
            def visit_FuncCall(self, _: Any, part: Any) -> None:
                names.append(tuple(word.sval for word in part.funcname))

            def visit_SelectStmt(self, _: Any, part: Any) -> None:
                nonlocal fine
                fine = fine and not part.intoClause and not part.lockingClause and part.withClause is None

        Calls()(node)
        return fine and all(
            name[:-1] in ((), ("pg_catalog",)) and (name[-1] in self._built_in() or name[-1] in _RANDOM)
            for name in names
        )

    def affected(self, node: Any, table: Content, triggered: bool = False) -> int | None:
        """How many rows of the target a DELETE or UPDATE would take or change; None where that cannot be told.

        triggered: an UPDATE changes every row that it meets, since a trigger runs.
        """
        kind = type(node).__name__
        clauses = [node.whereClause] if node.whereClause is not None else []
        if node.withClause is not None or getattr(node, "usingClause", None) or getattr(node, "fromClause", None):
            return None
        named = {column.name for column in table.columns}
        alias = node.relation.alias.aliasname if node.relation.alias else node.relation.relname
        targets = list(node.targetList) if kind == "UpdateStmt" else []
        if not all(self.harmless(part) for part in (*clauses, *(target.val for target in targets))):
            return None
        if any(target.indirection or target.name not in named for target in targets):
            return None
        outer = [*clauses, *(target.val for target in targets)]
        if any(column != "*" and column not in named for part in outer for column in _own_columns(part)):
            return None
        where = f"({printed(node.whereClause)})" if clauses else "true"
        if kind == "UpdateStmt" and not triggered:
            if any(type(target.val).__name__ in ("SetToDefault", "MultiAssignRef") for target in targets):
                return None
            lost = " or ".join(
                f"({identifier(target.name)} is not null and {identifier(target.name)}::text is distinct from"
                f" ({printed(target.val)})::text)"
                for target in targets
            )
            where = f"{where} and ({lost})"
        query = f"select count(*) from {_name(table)} as {identifier(alias)} where {where}"  # noqa: S608
        return self._ask(query)

    def met(self, node: Any, table: Content) -> int | None:
        """How many of the target's rows an INSERT … ON CONFLICT DO UPDATE or a MERGE meets; None where unknown."""
        if type(node).__name__ == "MergeStmt":
            parts = (node.sourceRelation, node.joinCondition)
            if any(clause.matchKind.name.endswith("BY_SOURCE") for clause in node.mergeWhenClauses):
                return None  # those are the rows that it does not meet
            if node.withClause is not None or not all(self.harmless(part) for part in parts):
                return None
            alias = node.relation.alias.aliasname if node.relation.alias else node.relation.relname
            source = f"select from {printed(node.sourceRelation)} where {printed(node.joinCondition)}"
            query = f"select count(*) from {_name(table)} as {identifier(alias)} where exists ({source})"  # noqa: S608
            return self._ask(query)
        clause = node.onConflictClause
        names = [target.name for target in node.cols or ()]
        keys = [element.name for element in clause.infer.indexElems or ()] if clause and clause.infer else []
        types = {column.name: column.type for column in table.columns}
        if node.withClause is not None or node.selectStmt is None or not keys or not self.harmless(node.selectStmt):
            return None
        if not {*keys} <= {*names} or not {*keys} <= {*types}:
            return None
        # As text: a made row has no types until they are known from the column.
        given = ", ".join(f"v.{identifier(key)}::text::{types[key]}" for key in keys)
        made = f"({printed(node.selectStmt)}) v ({', '.join(identifier(name) for name in names)})"
        own = ", ".join(identifier(key) for key in keys)
        return self._ask(f"select count(*) from {_name(table)} where ({own}) in (select {given} from {made})")  # noqa: S608

    def examples(self, demand: Demand, table: Content, other: Content | None) -> str:
        """A few of the rows that do not meet a demand, by the columns that it names; first letters only."""
        import psycopg

        named = {column.name for column in table.columns}
        columns = [name for name in demand.columns if name in named]
        if not columns or " NULL" in demand.what:
            return ""
        values = ", ".join(f"left({identifier(name)}::text, 1)" for name in columns)
        condition = _filled(demand.bad, table, other)
        query = f"select distinct {values} from {_name(table)} where {condition} limit {_EXAMPLES}"  # noqa: S608
        began, limit = time.monotonic(), min(_SECONDS, self._left)
        try:
            with _reading(self._connection, max(limit, 0.1)):
                rows = self._connection.execute(query.encode(), prepare=False).fetchall()
        except psycopg.Error:
            if self._connection.closed:
                raise
            return ""
        finally:
            self._left -= time.monotonic() - began
        shown = [", ".join("NULL" if value is None else f"{value}…" for value in row) for row in rows]
        return f" (such as {', '.join(columns)} = {'; '.join(shown)})" if shown else ""

    def _built_in(self) -> frozenset[str]:
        if self._steady is None:
            self._steady = frozenset(name for (name,) in self._connection.execute(_STEADY.encode()).fetchall())
        return self._steady

    def _ask(self, query: str, parameters: Any = None) -> int | None:
        import psycopg

        self.refused = ""
        began, limit = time.monotonic(), min(_SECONDS, self._left)
        if limit < 0.1:
            return None
        try:
            with _reading(self._connection, limit):
                row = self._connection.execute(query.encode(), parameters).fetchone()
        except psycopg.Error as error:
            if self._connection.closed:
                raise
            self.refused = error.sqlstate or ""
            return None
        finally:
            self._left -= time.monotonic() - began
        return None if row is None or row[0] is None else int(row[0])


@contextmanager
def _reading(connection: psycopg.Connection[Any], seconds: float) -> Iterator[None]:
    """A read-only transaction in which nothing takes long, and no row is hidden without an error."""
    with connection.transaction(force_rollback=True):
        connection.execute(
            "set transaction read only; "
            f"set local statement_timeout = {int(seconds * 1000)}; set local lock_timeout = '2s';"
            " set local row_security = off".encode()
        )
        yield


def _own_columns(node: Any) -> tuple[str, ...]:
    return columns_in(node)


def _name(table: Content) -> str:
    return f"{identifier(table.schema)}.{identifier(table.name)}"


def _filled(text: str, table: Content, other: Content | None) -> str:
    return text.replace("{t}", _name(table)).replace("{o}", _name(other) if other else "")
