"""Rows of a database copied into another: streamed, from one snapshot, whole tables or a sample.

A sample is so many rows of each table and, through the foreign keys, every row that those refer to.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl.copies.copy_out import blocks
from promthctl.database.sqlstates import first_line
from promthctl.quantities import size
from promthctl.sql.quoting import identifier, literal

if TYPE_CHECKING:
    import psycopg

_KEYS_AT_ONCE = 1_000  # in one question
_TOLD_SECONDS = 0.5
# Values are written on one side as they are read on the other, whatever the roles' settings.
SPELLING = (
    "set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; set bytea_output = 'hex'; set xmloption = content;"
    " set client_encoding = 'UTF8'"
)
# Ordinary tables and the roots of partitioned ones, with their size and, where they were analysed, their rows.
_TABLES = """
with recursive part as (
  select c.oid as root, c.oid from pg_class c where c.relkind in ('r', 'p') and not c.relispartition
   union all select p.root, i.inhrelid from part p join pg_inherits i on i.inhparent = p.oid
    join pg_class c on c.oid = i.inhrelid where c.relispartition)
select c.oid::bigint, n.nspname::text, c.relname::text, c.relkind = 'p',
       sum(pg_table_size(p.oid))::bigint,
       case when bool_and(l.relkind = 'p' or l.reltuples >= 0)
            then coalesce(sum(l.reltuples) filter (where l.relkind <> 'p'), 0)::bigint end,
       array_agg(format('%s.%s', m.nspname, l.relname)),
       (select array_agg(attname::text order by attnum) from pg_attribute
         where attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated = '')
  from pg_class c join pg_namespace n on n.oid = c.relnamespace join part p on p.root = c.oid
  join pg_class l on l.oid = p.oid join pg_namespace m on m.oid = l.relnamespace
 where c.relpersistence <> 't'
   and n.nspname !~ '^(pg_.*|information_schema|promthctl_rehearsal)$'
 group by c.oid, n.nspname, c.relname, c.relkind order by 2, 3"""
_KEYS = """
select k.conrelid::bigint, k.confrelid::bigint,
       array(select a.attname::text from unnest(k.conkey) with ordinality u (n, o) join pg_attribute a
               on a.attrelid = k.conrelid and a.attnum = u.n order by o),
       array(select a.attname::text from unnest(k.confkey) with ordinality u (n, o) join pg_attribute a
               on a.attrelid = k.confrelid and a.attnum = u.n order by o)
  from pg_constraint k where k.contype = 'f' and k.conparentid = 0"""
_SEQUENCES = """
select schemaname::text, sequencename::text, last_value from pg_sequences
 where last_value is not null and schemaname !~ '^(pg_.*|supabase_migrations)$'"""


# Checks and indexes call functions that migrations made: never as a superuser.
_HERE = """
select array(select attname::text from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped
                and attgenerated = ''),
       case when has_table_privilege('postgres', c.oid, 'INSERT')
                 and has_schema_privilege('postgres', c.relnamespace, 'USAGE')
            then 'postgres' else pg_get_userbyid(c.relowner)::text end
  from pg_class c where c.oid = to_regclass(%s)"""


@dataclass(frozen=True)
class SourceTable:
    """A table of the target. size: in bytes, with its partitions. rows: None where nobody has counted.

    sampled: it is touched itself, not only referred to. columns: without generated ones.
    """

    oid: int
    schema: str
    name: str
    partitioned: bool
    size: int
    rows: int | None
    columns: tuple[str, ...]
    sampled: bool

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def quoted(self) -> str:
        return f"{identifier(self.schema)}.{identifier(self.name)}"

    @property
    def source(self) -> str:
        """What to select from: rows of inheriting tables are those tables' own."""
        return self.quoted if self.partitioned else f"only {self.quoted}"


@dataclass(frozen=True)
class _Key:
    table: int
    other: int
    own: tuple[str, ...]
    theirs: tuple[str, ...]


def read_tables(
    connection: psycopg.Connection[Any], touched: Collection[str] | None, history: bool = False
) -> tuple[SourceTable, ...]:
    """The tables with these names, of a partition its root, and all that they refer to; None for all.

    history: with those of the migration history.
    """
    rows = connection.execute(_TABLES.encode()).fetchall()
    rows = [row for row in rows if history or row[1] != "supabase_migrations"]
    wanted = {row[0] for row in rows if touched is None or set(row[6]) & set(touched)}
    named, keys = set(wanted), _keys(connection)
    while more := {key.other for key in keys if key.table in wanted} - wanted:
        wanted |= more
    return tuple(
        SourceTable(oid, schema, name, partitioned, size_, count, tuple(columns or ()), oid in named)
        for oid, schema, name, partitioned, size_, count, _, columns in rows
        if oid in wanted
    )


def _keys(connection: psycopg.Connection[Any]) -> list[_Key]:
    return [_Key(one, two, tuple(a), tuple(b)) for one, two, a, b in connection.execute(_KEYS.encode()).fetchall()]


@contextlib.contextmanager
def one_snapshot(source: psycopg.Connection[Any]) -> Iterator[None]:
    """Everything in the block is read as of one moment. source: in autocommit."""
    import psycopg

    source.read_only, source.isolation_level = True, psycopg.IsolationLevel.REPEATABLE_READ
    with source.transaction(force_rollback=True):
        settings = f"{SPELLING.replace('set ', 'set local ')}; set local row_security = off"
        # A long copy is no mistake; a wait for a lock would hold up others behind it.
        source.execute(f"{settings}; set local statement_timeout = 0; set local lock_timeout = '5s'".encode())
        yield


class RowCopy:
    """One copy. rows, tables: how much of it is done; counts: rows by table. left_out: what was not copied, and why."""

    def __init__(
        self,
        source: psycopg.Connection[Any],
        sink: psycopg.Connection[Any],
        tables: Sequence[SourceTable],
        sample: int | None,
        instead: Mapping[tuple[str, str], str] | None = None,
        refused: Callable[[SourceTable, psycopg.Error], None] = lambda _table, _error: None,
        fresh: bool = False,
    ) -> None:
        """source: in autocommit. sink: a superuser's. fresh: nothing refers to its tables yet, and nobody uses it.

        instead: by table and column ("schema.name", "column"), an expression that the source is asked for instead.
        refused: told of a table whose rows the other database does not take; it may raise.
        """
        self._source, self._sink, self._all, self._sample = source, sink, tables, sample
        self._instead, self._refused, self.counts = instead or {}, refused, dict[str, int]()
        self._fresh = fresh and sample is None  # a sample fills a table in several goes
        self.rows, self.tables, self.left_out = 0, 0, list[str]()
        self._columns: dict[int, tuple[str, ...]] = {}
        self._roles: dict[int, str] = {}
        self._counted: set[int] = set()
        self._bytes, self._told = 0, 0.0

    def run(self, update: Callable[[str], None]) -> None:
        """Copy everything from one snapshot. update: told what is being copied. Raises psycopg.Error."""
        with one_snapshot(self._source):
            self.copy(update)
        self._refresh()
        self._sink.execute("analyze")

    def copy(self, update: Callable[[str], None], positions: bool = True) -> None:
        """The rows, and the sequences' positions, within one_snapshot. Foreign keys and triggers rest meanwhile."""
        self._update = update
        self._sink.execute(f"{SPELLING}; set session_replication_role = replica".encode())
        for table in self._all:
            if self._sample is None or table.sampled:
                self._begin(table)
                self._copy(table, self._selection(table))
        if self._sample is not None:
            self._referred()
        if positions:
            self._numbers()
        self._sink.execute("reset session_replication_role")

    def _begin(self, table: SourceTable) -> None:
        """Which columns both sides have, and who puts rows there."""
        if table.oid in self._columns:
            return
        found = self._sink.execute(_HERE.encode(), (table.quoted,)).fetchone()
        here, self._roles[table.oid] = (set(found[0]), found[1]) if found else (set(), "")
        self._columns[table.oid] = tuple(name for name in table.columns if name in here)
        if not here:
            self.left_out.append(f"{table.label}: the copy does not have it")
            return
        if missing := [name for name in table.columns if name not in here]:
            self.left_out.append(f"{table.label} without {', '.join(missing)}, which is not there")
        self._empty(table)

    def _empty(self, table: SourceTable) -> None:
        """The rows that its migrations have made are among those to come."""
        import psycopg

        with contextlib.suppress(psycopg.Error), self._sink.transaction():  # a collision of rows is told
            self._sink.execute(f"set local role {identifier(self._roles[table.oid])}".encode())
            self._sink.execute(f"delete from {table.source}".encode())  # noqa: S608 - quoted

    @contextlib.contextmanager
    def _emptied(self, table: SourceTable) -> Iterator[str]:
        """Where the sink is fresh: the block is a transaction that made the table's file anew. So what comes needs no
        write-ahead log at wal_level minimal and is written as frozen, once. Gives the option of COPY for that.
        """
        import psycopg

        if not self._fresh:
            yield ""
            return
        with self._sink.transaction():
            option = "" if table.partitioned else " (freeze)"
            try:
                with self._sink.transaction():
                    self._sink.execute(f"truncate {table.source}".encode())
            except psycopg.Error:  # the platform's tables refer to one another
                option = ""
            yield option

    def _selection(self, table: SourceTable) -> str:
        if self._sample is None:
            return f"select {{}} from {table.source}"  # noqa: S608 - quoted
        share = ""
        if table.rows is not None and table.rows > 2 * self._sample:
            # Some more than wanted, so that chance does not give too few.
            share = f" tablesample bernoulli ({min(100.0, 150 * self._sample / table.rows + 0.01):.6f}) repeatable (7)"
        return f"select {{}} from {table.source}{share} limit {self._sample}"  # noqa: S608

    def _copy(self, table: SourceTable, selection: str) -> int:
        """Stream what the selection gives, {} standing for the columns. Returns how many rows came."""
        import psycopg

        if not self._columns.get(table.oid):
            return 0
        names = self._columns[table.oid]
        columns = ", ".join(map(identifier, names))
        asked = ", ".join(self._instead.get((table.label, name), identifier(name)) for name in names)
        out = f"copy ({selection.format(asked)}) to stdout"
        into = f"copy {table.quoted} ({columns}) from stdin"
        self._tell(table)
        self._sink.execute(f"set role {identifier(self._roles[table.oid])}".encode())
        try:
            with self._source.transaction(), self._source.cursor() as reads, self._sink.cursor() as writes:
                with (
                    self._emptied(table) as option,
                    reads.copy(out.encode()) as source,
                    writes.copy(f"{into}{option}".encode()) as sink,
                ):
                    for block in blocks(reads, source):
                        sink.write(block)
                        self._bytes += len(block)
                        self._tell(table)
                count = writes.rowcount
        except psycopg.Error as error:
            if self._source.closed or self._sink.closed:
                raise
            self._refused(table, error)
            self.left_out.append(f"{table.label}: {first_line(error)}")
            self._columns[table.oid] = ()
            return 0
        finally:
            if not self._sink.closed:
                self._sink.execute("reset role")
        self.tables += table.oid not in self._counted
        self._counted.add(table.oid)
        self.rows += max(count, 0)
        self.counts[table.label] = self.counts.get(table.label, 0) + max(count, 0)
        return max(count, 0)

    def _tell(self, table: SourceTable) -> None:
        if (now := time.monotonic()) - self._told > _TOLD_SECONDS:
            self._told = now
            self._update(f"{table.label}, {size(self._bytes)} so far")

    def _referred(self) -> None:
        """What the rows that are here refer to, until nothing is missing that the target has."""
        tables = {table.oid: table for table in self._all}
        keys = [key for key in _keys(self._source) if key.table in tables and key.other in tables]
        for table in self._all:
            self._begin(table)
        found = True
        while found:
            found = False
            for key in keys:
                parent = tables[key.other]
                for values in self._missing(key, tables[key.table], parent):
                    columns = ", ".join(identifier(name) for name in key.theirs)
                    condition = f"({columns}) in (values {values})".replace("{", "{{").replace("}", "}}")
                    count = self._copy(parent, f"select {{}} from {parent.source} where {condition}")  # noqa: S608
                    found = found or count > 0

    def _missing(self, key: _Key, table: SourceTable, parent: SourceTable) -> Iterator[str]:
        """The values of a foreign key that point at no row here, as lists for VALUES."""
        if not self._columns.get(table.oid) or not self._columns.get(parent.oid):
            return
        types = dict(
            self._sink.execute(
                "select attname::text, format_type(atttypid, atttypmod) from pg_attribute"
                " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
                (parent.quoted,),
            ).fetchall()
        )
        own = ", ".join(f"format('%s', t.{identifier(name)})" for name in key.own)  # no cast: it may be anybody's
        there = " and ".join(f"t.{identifier(name)} is not null" for name in key.own)
        same = " and ".join(f"p.{identifier(b)} = t.{identifier(a)}" for a, b in zip(key.own, key.theirs, strict=True))
        query = (
            f"select distinct {own} from {table.source} t where {there}"  # noqa: S608 - quoted
            f" and not exists (select from {parent.quoted} p where {same})"
        )
        # A cursor of the sink cannot be open while the sink takes rows in: the keys wait in a table there.
        names = ", ".join(f"k{place}" for place in range(len(key.own)))
        wanted = f"select row_number() over () as n, x.* from ({query}) x ({names})"  # noqa: S608
        self._sink.execute(f"drop table if exists pg_temp.missing; create temp table missing as {wanted}".encode())
        for first in range(0, self._count_missing(), _KEYS_AT_ONCE):
            rows = self._sink.execute(
                "select * from pg_temp.missing where n > %s and n <= %s", (first, first + _KEYS_AT_ONCE)
            ).fetchall()
            yield ", ".join(
                "("
                + ", ".join(f"{literal(v)}::{types[name]}" for v, name in zip(row[1:], key.theirs, strict=True))
                + ")"
                for row in rows
            )

    def _count_missing(self) -> int:
        row = self._sink.execute("select count(*) from pg_temp.missing").fetchone()
        return int(row[0]) if row else 0

    def _numbers(self) -> None:
        """Sequences go on where the target's do."""
        for schema, name, reached in self._source.execute(_SEQUENCES.encode()).fetchall():
            self._sink.execute(
                "select setval(s.seqrelid, %s) from pg_sequence s where s.seqrelid = to_regclass(%s)"
                " and %s between seqmin and seqmax",
                (reached, f"{identifier(schema)}.{identifier(name)}", reached),
            )

    def _refresh(self) -> None:
        """Materialized views are filled from the rows."""
        import psycopg

        rows = self._sink.execute(
            "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where c.relkind = 'm' order by c.oid"
        ).fetchall()
        for (name,) in rows:
            try:
                self._sink.execute(f"refresh materialized view {name}".encode())
            except psycopg.Error as error:
                self.left_out.append(f"{name}: {first_line(error)}")
