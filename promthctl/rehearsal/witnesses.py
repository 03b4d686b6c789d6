"""Witness rows: a few in every table of the throw-away database, whose fate shows what a migration does to rows.

The isolation proof's row maker finds rows that a table's constraints accept; then each column gets a value that uses
its type's range, as far as the constraints let it. One row of each table has nulls wherever it may.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from promthctl.rehearsal.values import witness_value

if TYPE_CHECKING:
    import psycopg

    from promthctl.isolation.row_maker import RowMaker
    from promthctl.isolation.sample_row import SampleRow
    from promthctl.isolation.tables import ProbedCatalog, ProbedTable

_ROWS = 4  # of a table; more where an enum has more members
_MOST_ROWS = 24
# Written by the platform, not by migrations; realtime's partitions and the history would only cost time.
_LEFT_OUT = ("supabase_migrations", "realtime", "_realtime", "cron", "net", "pgmq", "extensions", "graphql")
_WRITABLE = "select oid from pg_class where relkind in ('r', 'p') and has_table_privilege(oid, 'INSERT')"
# A sequence has been used: it stands beyond the numbers that the rows have.
_ADVANCE = """
do $$ declare one record; top bigint; begin
  for one in
    select c.oid::regclass as name, s.seqincrement as step, s.seqstart as start, d.refobjid::regclass as owner,
           a.attname
      from pg_class c join pg_sequence s on s.seqrelid = c.oid
      left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
        and d.refclassid = 'pg_class'::regclass
      left join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
     where c.relpersistence <> 't'
  loop
    begin
      top := one.start;
      if one.owner is not null and one.step > 0 then
        execute format('select greatest(max(%I), %s) from %s', one.attname, one.start, one.owner) into top;
      end if;
      perform setval(one.name, top + 50 * one.step);
    exception when others then null;
    end;
  end loop;
end $$;
"""


@dataclass(frozen=True)
class Witnesses:
    """users: the ids of the made users. without: table → why no row could be made for it."""

    users: tuple[str, ...]
    without: Mapping[str, str]


def make_witnesses(connection: psycopg.Connection[Any]) -> Witnesses:
    """Put rows into every table. connection: of role postgres, in autocommit. Raises psycopg.Error."""
    from promthctl.isolation import ownership
    from promthctl.isolation.row_maker import RowMaker, RowNotMade
    from promthctl.isolation.sandbox import Sandbox
    from promthctl.isolation.table_reading import read_tables

    with connection.transaction():
        # Triggers and foreign keys rest: the rows are made so that they agree with the keys.
        connection.execute("set local session_replication_role = replica; set local client_min_messages = error")
        row = connection.execute("select current_user::text").fetchone()
        assert row is not None
        catalog = read_tables(connection, ("public",))
        maker = RowMaker(Sandbox(connection, row[0]), catalog, ownership.find_ownerships(catalog))
        users = _Users(maker)
        without: dict[str, str] = {}
        # What the role of the migrations may not write is the platform's.
        mine = {oid for (oid,) in connection.execute(_WRITABLE).fetchall()}
        for table in _parents_first(catalog):
            if table.kind == "f" or table.schema in _LEFT_OUT or table.extension is not None:
                continue
            mine -= {table.oid} if any(key.target not in mine for key in table.foreign_keys) else set()
            if table.oid not in mine:
                continue
            for number in range(_count(table)):
                maker.plan(table, users.one(number), _numbers(table, number))
                try:
                    _fill(maker, maker.row(table, users.one(number)), number, _count(table))
                except RowNotMade as error:
                    if number == 0:
                        without[f"{table.schema}.{table.name}"] = str(error)
                    break
        connection.execute(_ADVANCE.encode(), prepare=False)
        return Witnesses(tuple(users.made), without)


class _Users:
    """Users as they are needed; without auth.users only ids."""

    def __init__(self, maker: RowMaker) -> None:
        self._maker, self.made = maker, list[str]()
        self._maker.third = self._new()

    def one(self, number: int) -> str:
        while len(self.made) <= number:
            self.made.append(self._new())
        return self.made[number]

    def _new(self) -> str:
        from promthctl.isolation.row_maker import RowNotMade

        try:
            return self._maker.user()
        except RowNotMade:
            return str(uuid4())


def _count(table: ProbedTable) -> int:
    """Rows enough for every member of its enums, and one more for nulls."""
    labels = (len((column.type.element or column.type).labels) for column in table.columns)
    return min(max(_ROWS, *(number + 1 for number in labels), 0), _MOST_ROWS)


def _fill(maker: RowMaker, row: SampleRow, number: int, count: int) -> None:
    """Give the row's free columns the witness values of its number; what the table refuses stays as it was made."""
    from promthctl.isolation.column_values import candidate_values
    from promthctl.isolation.sample_row import literal

    table = row.table
    fixed = {name for key in table.foreign_keys for name in key.columns}
    fixed |= {name for index in table.uniques if index.primary for name in index.columns}
    fixed |= set(maker.ownerships[table.oid].identity) | set(maker.ownerships[table.oid].others)
    wanted: dict[str, list[str | None]] = {}
    for column in table.columns:
        if column.name in fixed or column.generated or column.sequence:
            continue
        token, options = uuid4().hex, list[str | None]()
        if number == count - 1 and not (column.not_null or column.type.not_null):
            options.append(None)
        elif (value := witness_value(column.type, number, token)) is not None:
            options.append(value)
        checks = [check.definition for check in table.checks if column.name in check.columns]
        if checks or column.type.checks:
            hinted = candidate_values(column, checks, token)
            options.append(hinted[number % len(hinted)] if hinted else None)
        wanted[column.name] = [one for one in options if one is not None or not column.not_null]
    whole = {name: options[0] for name, options in wanted.items() if options}
    if _set(maker, row, {name: literal(table, name, value) for name, value in whole.items()}):
        return
    for name, options in wanted.items():
        any(_set(maker, row, {name: literal(table, name, value)}) for value in options)


def _numbers(table: ProbedTable, number: int) -> dict[str, str]:
    """For columns that draw from a sequence: numbers as a sequence gives them, none of them twice in the database."""
    referring = {name for key in table.foreign_keys for name in key.columns}
    start = {"int2": 300 + (table.oid % 300) * 100}
    return {
        column.name: str(start.get(column.type.name, 100_000 + (table.oid % 9000) * 100) + 7 * number)
        for column in table.columns
        if column.sequence and not column.generated and column.name not in referring
    }


def _set(maker: RowMaker, row: SampleRow, values: Mapping[str, Any]) -> bool:
    """Update the row, which its key finds; False where the table refuses."""
    import psycopg
    from psycopg import sql

    if not values:
        return True
    changes = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(name), one) for name, one in values.items())
    with contextlib.suppress(psycopg.Error):
        found = maker.sandbox.run(
            sql.SQL("update {} set {} where {} returning 1").format(
                row.table.identifier, changes, row.keyed if row.table.primary_key else _place(maker, row)
            )
        )
        return bool(found)
    return False


def _place(maker: RowMaker, row: SampleRow) -> Any:
    """Where the row is now: without a key, its newest version is the last one that the table has."""
    from psycopg import sql

    found = maker.sandbox.run(
        sql.SQL("select tableoid::text, ctid::text from {} order by xmin::text::bigint, ctid desc limit 1").format(
            row.table.identifier
        )
    )
    part, place = found[0]
    return sql.SQL("tableoid = {}::oid and ctid = {}::tid").format(part, place)


def _parents_first(catalog: ProbedCatalog) -> Iterator[ProbedTable]:
    visited: set[int] = set()
    waiting = sorted(catalog.tables.values(), key=lambda table: (table.schema, table.name))

    def visit(table: ProbedTable) -> Iterator[ProbedTable]:
        if table.oid not in visited:
            visited.add(table.oid)
            for key in table.foreign_keys:
                if key.target in catalog.tables:
                    yield from visit(catalog.tables[key.target])
            yield table

    for table in waiting:
        yield from visit(table)
