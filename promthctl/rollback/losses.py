"""What a rollback takes away, found by doing it: the tables before and after the down scripts, compared.

Dropped tables and columns are found in the catalog; deleted or updated rows in PostgreSQL's counts for the current
transaction; truncated and rewritten tables by their new files on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

# Without track_counts no row would be counted; only a superuser can turn it off, or on again.
_COUNTING = "select set_config('track_counts', 'on', true) where current_setting('track_counts') = 'off'"
# An extension's own tables, such as cron.job, are its bookkeeping; those it created for us, such as queues, are ours.
_TABLES = """
select c.oid, n.nspname, c.relname, c.relkind = 'p', i.inhparent, pg_relation_filenode(c.oid),
       pg_stat_get_xact_tuples_updated(c.oid) + pg_stat_get_xact_tuples_deleted(c.oid),
       (select coalesce(jsonb_agg(a.attname), '[]') from pg_index x join pg_attribute a on a.attrelid = c.oid
         where x.indrelid = c.oid and x.indisprimary and a.attnum = any (x.indkey)),
       (select jsonb_object_agg(a.attnum, jsonb_build_array(
                 a.attname, format_type(a.atttypid, a.atttypmod), a.atttypid || ' ' || a.atttypmod))
          from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '')
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
       left join pg_inherits i on i.inhrelid = c.oid and c.relispartition
 where c.relkind in ('r', 'p') and c.relpersistence <> 't'
   and n.nspname not in ('pg_catalog', 'information_schema', 'supabase_migrations') and n.nspname !~ '^pg_toast'
   and (pg_has_role(c.relowner, 'USAGE') or not exists (
     select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'))
"""
_SEQUENCES = """
select schemaname, sequencename, last_value from pg_sequences
 where last_value is not null and schemaname !~ '^pg_temp'"""

Sequences = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class StoredColumn:
    """A column that is stored, not generated. type: as SQL writes it. kind: its type's identity and modifier."""

    name: str
    type: str
    kind: str


@dataclass(frozen=True)
class StoredTable:
    """A table that stores rows.

    parent: that of a partition. file: on disk, a new one once it is truncated or rewritten; None for a partitioned
    table. changes: rows updated and deleted in this transaction. key: the primary key. columns: by their number, which
    a renaming keeps.
    """

    schema: str
    name: str
    partitioned: bool
    parent: int | None
    file: int | None
    changes: int
    key: tuple[str, ...]
    columns: Mapping[str, StoredColumn]

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class TableLoss:
    """A table as it is before the rollback, and what it loses: itself, columns (dropped, or of another type), rows."""

    table: StoredTable
    dropped: bool
    columns: tuple[str, ...]
    rows: bool

    @property
    def restorable(self) -> bool:
        """False when rows stay, and no primary key does that could tell them and the exported ones apart."""
        return self.dropped or (bool(self.table.key) and not set(self.table.key) & set(self.columns))

    @property
    def what(self) -> str:
        if self.dropped:
            return "the table"
        lost = [f"column {name}" for name in self.columns]
        return ", ".join([*lost, "rows"] if self.rows else lost)


def read_tables(connection: psycopg.Connection[Any]) -> Mapping[int, StoredTable]:
    """The tables of the database by their object id, as the connection's transaction sees them."""
    connection.execute(_COUNTING)
    found = {}
    for row in connection.execute(_TABLES, prepare=False).fetchall():
        oid, schema, name, partitioned, parent, file, changes, key, columns = row
        stored = {number: StoredColumn(*column) for number, column in (columns or {}).items()}
        found[oid] = StoredTable(schema, name, partitioned, parent, file, changes, tuple(key), stored)
    return found


def read_sequences(connection: psycopg.Connection[Any]) -> Sequences:
    """The last value of each sequence that has been used, by schema and name."""
    return {(schema, name): value for schema, name, value in connection.execute(_SEQUENCES, prepare=False).fetchall()}


def compare_tables(before: Mapping[int, StoredTable], after: Mapping[int, StoredTable]) -> tuple[TableLoss, ...]:
    """What is lost, by name. Partitions count as their table, unless only they are dropped."""
    dropped: set[int] = set()
    changed: set[int] = set()
    columns: dict[int, tuple[str, ...]] = {}
    for oid, table in before.items():
        now = after.get(oid)
        if now is None:
            dropped.add(_top(before, oid, lambda parent: parent not in after))
            continue
        top = _top(before, oid, lambda _: True)
        if lost := tuple(c.name for number, c in table.columns.items() if not _kept(now.columns.get(number), c)):
            columns[top] = lost
        if now.file != table.file or now.changes != table.changes:
            changed.add(top)
    losses = (
        TableLoss(before[oid], oid in dropped, () if oid in dropped else columns.get(oid, ()), oid in changed)
        for oid in {*dropped, *changed, *columns}
    )
    return tuple(sorted(losses, key=lambda loss: loss.table.label))


def _kept(now: StoredColumn | None, before: StoredColumn) -> bool:
    return now is not None and now.kind == before.kind


def _top(before: Mapping[int, StoredTable], oid: int, goes_on: Callable[[int], bool]) -> int:
    """The table that a partition is part of, as far up as `goes_on` allows."""
    while (parent := before[oid].parent) is not None and parent in before and goes_on(parent):
        oid = parent
    return oid
