"""What a plan asks the target: which tables it has, what a DROP takes with it, how many rows that is."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from promthctl.push.risks import queries
from promthctl.push.risks.model import Rows, total
from promthctl.sql.quoting import identifier

if TYPE_CHECKING:
    import psycopg

_PG_CLASS = 1259  # pg_class's own oid, the same on every server
_QUESTION_SECONDS, _COUNT_SECONDS, _ALL_COUNTS_SECONDS = 30.0, 2.0, 10.0
_SMALL = 1_000  # rows; for larger tables an estimate is enough to judge how long a lock may last

Address = tuple[int, int, int]  # classid, objid, objsubid: how pg_depend names an object


@dataclass(frozen=True)
class TargetRelation:
    """A row of pg_class. kind: its relkind. estimate: its rows, -1 when never analysed. on: the table of an index.

    secured: its row-level security is enabled.
    """

    oid: int
    schema: str
    name: str
    kind: str
    estimate: int
    on: int
    secured: bool


@dataclass(frozen=True)
class TargetColumn:
    """A column as it is in the target.

    type: as format_type spells it, without modifiers; full: with them. generated: computed from other columns.
    """

    number: int
    type_oid: int
    type: str
    full: str
    not_null: bool
    generated: bool


@dataclass(frozen=True)
class DropLoss:
    """What is dropped with an object. tables, columns: those with data. rows: theirs; of columns, those with a value.

    cascades: what else goes by CASCADE, e.g. "view public.recent". locked: the tables that stay and lose a part.
    """

    tables: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: Rows | None = None
    cascades: tuple[str, ...] = ()
    locked: tuple[int, ...] = ()


@contextmanager
def read_target_catalog(connection: psycopg.Connection[Any]) -> Iterator[TargetCatalog]:
    """The catalog behind a connection in autocommit: one read-only transaction, in which no question takes long."""
    connection.read_only = True
    with connection.transaction():
        # Where row-level security would hide rows, a count fails instead of being wrong.
        limit = int(_QUESTION_SECONDS * 1000)
        connection.execute(f"set local statement_timeout = {limit}; set local row_security = off".encode())
        yield TargetCatalog(connection)


class TargetCatalog:
    """Asks the target only for what is needed, and for each thing once."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._seconds = _ALL_COUNTS_SECONDS  # left for counting
        self._gone: set[Address] = set()
        self._searched: tuple[str, ...] | None = None

    @cached_property
    def path(self) -> tuple[str, ...]:
        """The schemas in which an unqualified name is looked up."""
        return tuple(self._one("select current_schemas(false)::text[]"))

    @cached_property
    def utc(self) -> bool:
        """True when the session's time zone is UTC: timestamps with and without a zone are the same bits there."""
        return str(self._one("select current_setting('timezone')")).upper() in ("UTC", "ETC/UTC", "GMT")

    @cached_property
    def relations(self) -> tuple[TargetRelation, ...]:
        """Tables, views, indexes and sequences, without those of PostgreSQL itself."""
        return tuple(TargetRelation(*row) for row in self._all(queries.TABLES))

    def columns(self, oid: int) -> dict[str, TargetColumn]:
        """A table's columns by name."""
        return self._columns.get(oid, {})

    @cached_property
    def _columns(self) -> dict[int, dict[str, TargetColumn]]:
        found: dict[int, dict[str, TargetColumn]] = {}
        for oid, name, *rest in self._all(queries.COLUMNS):
            found.setdefault(oid, {})[name] = TargetColumn(*rest)
        return found

    @cached_property
    def policies(self) -> frozenset[tuple[int, str]]:
        """(table, name)"""
        return frozenset(self._all("select polrelid::int8, polname from pg_policy"))

    @cached_property
    def never_null(self) -> frozenset[tuple[int, str]]:
        """(table, column) for which a validated CHECK says so."""
        return frozenset(self._all(queries.NEVER_NULL))

    @cached_property
    def references(self) -> tuple[tuple[int, int, str, str], ...]:
        """Foreign keys: (the table that refers, the one it refers to, confdeltype, its name)."""
        return tuple(self._all(queries.REFERENCES))

    @cached_property
    def key_columns(self) -> frozenset[tuple[int, str, int]]:
        """(a table, its column in a foreign key, the table on the other side)"""
        return frozenset(self._all(queries.KEY_COLUMNS))

    @cached_property
    def steady(self) -> frozenset[str]:
        """Names of functions without a volatile variant."""
        return self._names("select proname from pg_proc group by 1 having bool_and(provolatile <> 'v')")

    @cached_property
    def built_in(self) -> frozenset[str]:
        """Names of PostgreSQL's own functions."""
        return self._names("select proname from pg_proc where pronamespace = 'pg_catalog'::regnamespace")

    def type_named(self, name: str, path: Sequence[str]) -> tuple[int, str, bool] | None:
        """(oid, as format_type spells it, whether it is a domain with constraints); None if it does not exist."""
        row = self._found(queries.TYPE, (name,), path)
        return (row[0], row[1], row[2]) if row else None

    def cast(self, old: int, new: int) -> tuple[str, str] | None:
        """pg_cast's (castmethod, castcontext); a domain casts as its base type does."""
        rows = self._all(queries.CAST, {"old": old, "new": new})
        return rows[0] if rows else None

    def address(
        self, kind: str, names: Sequence[str], arguments: Sequence[str] | None, path: Sequence[str]
    ) -> Address | None:
        """An object by its kind, as pg_get_object_address names it. arguments: None when a routine's are not given."""
        if arguments is None:
            row = self._found(queries.ROUTINE, (identifier(*names),), path)
        else:
            row = self._found(queries.ADDRESS, (kind, list(names), list(arguments)), path)
        return (row[0], row[1], row[2]) if row else None

    def owned(self, role: str | None) -> list[Address]:
        """What a role owns in this database; None: the current user."""
        return self._all(queries.OWNED, (role,))

    def loss(self, starts: Sequence[Address], cascade: bool) -> DropLoss:
        """What is dropped with these objects; what an earlier drop of the plan has taken already is left out."""
        fresh = [start for start in starts if start not in self._gone]
        if not fresh:
            return DropLoss()
        classes, objects, parts = (list(each) for each in zip(*fresh, strict=True))
        edges = list("aeiPSxn" if cascade else "aeiPSx")
        rows = self._all(queries.LOSS, {"classes": classes, "objects": objects, "parts": parts, "edges": edges})
        tables: list[str] = []
        columns: list[str] = []
        counts: list[Rows | None] = []
        cascades: list[str] = []
        parts_of: set[int] = set()
        for classid, oid, number, schema, name, kind, column, counted, victim, table in rows:
            if (classid, oid, number) in self._gone:
                continue
            self._gone.add((classid, oid, number))
            parts_of |= {table} if table else set()
            if kind in ("r", "p") and (column is not None or number == 0):
                (tables if column is None else columns).append(".".join(filter(None, (schema, name, column))))
                if not counted:
                    counts.append(self._count(oid, schema, name, kind, [column] if column else []))
            if victim and (classid, oid, number) not in fresh:
                cascades.append(victim)
        rest = total(counts) if counts else None
        locked = tuple(sorted(oid for oid in parts_of if (_PG_CLASS, oid, 0) not in self._gone))
        return DropLoss(tuple(tables), tuple(columns), rest, tuple(sorted(cascades)), locked)

    def count(self, relation: TargetRelation, columns: Sequence[str] = ()) -> Rows | None:
        """The rows, or those with a value in one of the columns; an estimate where counting takes too long."""
        return self._count(relation.oid, relation.schema, relation.name, relation.kind, columns)

    def size(self, relation: TargetRelation) -> Rows | None:
        """How many rows a scan goes through, approximately."""
        return Rows(relation.estimate, False) if relation.estimate > _SMALL else self.count(relation)

    def _count(self, oid: int, schema: str, name: str, kind: str, columns: Sequence[str]) -> Rows | None:
        import psycopg

        if kind not in ("r", "p", "m"):
            return None
        query = f"select count(*) from {'only ' if kind == 'r' else ''}{identifier(schema, name)}"  # noqa: S608 - quoted
        if columns:
            query += " where " + " or ".join(f"{identifier(column)} is not null" for column in columns)
        began, limit = time.monotonic(), min(_COUNT_SECONDS, self._seconds)
        try:
            if limit > 0.1:
                with self._connection.transaction(force_rollback=True):  # and with it the limit
                    self._connection.execute(f"set local statement_timeout = {int(limit * 1000)}".encode())
                    return Rows(int(self._one(query)), exact=True)
        except psycopg.Error:  # it takes too long, or we may not read it
            if self._connection.closed:
                raise
        finally:
            self._seconds -= time.monotonic() - began
        estimate = self._one(queries.ESTIMATE, {"oid": oid, "columns": list(columns)})
        return None if estimate is None else Rows(round(estimate), exact=False)

    def _found(self, query: str, parameters: Sequence[object], path: Sequence[str]) -> Any:
        """The first row, or None. path: where to look for an unqualified name."""
        import psycopg

        if tuple(path) != self._searched:
            where = ", ".join(identifier(schema) for schema in path)
            self._all("select set_config('search_path', %s, true)", (where,))
            self._searched = tuple(path)
        try:
            with self._connection.transaction():
                rows = self._all(query, parameters)
        except (psycopg.ProgrammingError, psycopg.DataError):  # it does not exist, or is not a possible name
            return None
        return rows[0] if rows else None

    def _names(self, query: str) -> frozenset[str]:
        return frozenset(name for (name,) in self._all(query))

    def _one(self, query: str, parameters: Any = None) -> Any:
        return self._all(query, parameters)[0][0]

    def _all(self, query: str, parameters: Any = None) -> list[Any]:
        return self._connection.execute(query.encode(), parameters).fetchall()


def address(oid: int, number: int = 0) -> Address:
    """The address of a table, or of its column with that number."""
    return (_PG_CLASS, oid, number)
