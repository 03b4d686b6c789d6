"""What is put into the throw-away database to watch a migration from within its own transaction.

Functions of the superuser give back rows, locks and which tables were written to. They run nothing that a migration
made: values are written by their types' output functions, and no cast, operator or policy of the database is asked.
A trigger on every table notes each UPDATE, DELETE and TRUNCATE, also one that met no row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_MOST_ROWS = 5000  # read of one table, and one more to see that there are more
# Modes that let rows or their table be changed. Source: src/include/storage/lockdefs.h.
_CHANGING = frozenset(("RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareRowExclusiveLock", "ExclusiveLock",
                       "AccessExclusiveLock"))  # fmt: skip

_INSTALL = """
create schema promthctl_rehearsal;
grant usage on schema promthctl_rehearsal to public;
create table promthctl_rehearsal.writes (relation oid, operation text);
create function promthctl_rehearsal.wrote() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
  insert into promthctl_rehearsal.writes values (tg_relid, tg_op);
  return null;
end $$;
create function promthctl_rehearsal.look() returns jsonb language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare locks jsonb; wrote jsonb;
begin
  select jsonb_agg(distinct jsonb_build_array(l.relation::bigint, l.mode)) into locks from pg_locks l
   where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.relation >= 16384
     and l.relation <> 'promthctl_rehearsal.writes'::regclass;
  with gone as (delete from promthctl_rehearsal.writes returning *)
  select jsonb_agg(distinct jsonb_build_array(relation::bigint, operation)) into wrote from gone;
  return jsonb_build_array(coalesce(locks, '[]'), coalesce(wrote, '[]'));
end $$;
create function promthctl_rehearsal.read(wanted oid[])
returns table (id bigint, space text, relation text, filenode bigint, root bigint, parts jsonb, content jsonb)
language plpgsql security definer set search_path = pg_catalog, pg_temp set datestyle = 'ISO, YMD' set timezone = 'UTC'
set intervalstyle = 'postgres' set extra_float_digits = 1 set bytea_output = 'hex' set xmloption = 'content' as $$
declare one record; texts text;
begin
  for one in
    select c.oid, n.nspname, c.relname, coalesce(pg_relation_filenode(c.oid), 0) as file
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r' and c.relpersistence <> 't' and (c.oid = any (wanted) or wanted is null)
       and n.nspname !~ '^(pg_.*|information_schema|promthctl_rehearsal|supabase_migrations)$'
  loop
    id := one.oid; space := one.nspname; relation := one.relname; filenode := one.file;
    root := pg_partition_root(one.oid)::bigint;
    select coalesce(jsonb_agg(jsonb_build_array(attnum, attname, format_type(atttypid, atttypmod)) order by attnum),
                    '[]'),
           string_agg(format('case when %1$I is distinct from null then format(''%%s'', %1$I) end', attname), ', '
                      order by attnum)
      into parts, texts
      from pg_attribute where attrelid = one.oid and attnum > 0 and not attisdropped and attgenerated <> 'v';
    execute format('select coalesce(jsonb_agg(x.v), ''[]'') from (select to_jsonb(array[%s]::text[]) as v'
                   ' from only %I.%I limit 5001) x', coalesce(texts, ''), one.nspname, one.relname)
      into content;
    return next;
  end loop;
end $$;
create function promthctl_rehearsal.sequences()
returns table (id bigint, label text, reached numeric, up boolean, owner bigint, place integer)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  for id, label, up, owner, place in
    select c.oid, format('%I.%I', n.nspname, c.relname), s.seqincrement > 0, d.refobjid, d.refobjsubid
      from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_sequence s on s.seqrelid = c.oid
      left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
        and d.refclassid = 'pg_class'::regclass
     where c.relpersistence <> 't' and n.nspname not in ('promthctl_rehearsal', 'supabase_migrations')
  loop
    execute format('select case when is_called then last_value else last_value - 1 end from %s', label) into reached;
    return next;
  end loop;
end $$;
create function promthctl_rehearsal.labels() returns table (id bigint, label text) language sql security definer
set search_path = pg_catalog, pg_temp as 'select oid::bigint, enumlabel::text from pg_enum';
"""
_WATCH = """
do $$ declare one record; begin
  for one in select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and c.relpersistence <> 't'
      and n.nspname !~ '^(pg_.*|information_schema|promthctl_rehearsal|supabase_migrations)$'
  loop
    execute format('create trigger promthctl_rehearsal after update or delete or truncate on %s for each statement
      execute function promthctl_rehearsal.wrote()', one.name);
    execute format('alter table %s enable always trigger promthctl_rehearsal', one.name);
  end loop;
end $$;
"""
# The modes that stop writers, the heaviest first, by PostgreSQL's names in pg_locks and in SQL.
HEAVY = {
    "AccessExclusiveLock": "ACCESS EXCLUSIVE",
    "ExclusiveLock": "EXCLUSIVE",
    "ShareRowExclusiveLock": "SHARE ROW EXCLUSIVE",
    "ShareLock": "SHARE",
}


@dataclass(frozen=True)
class Column:
    """number: attnum. type: with its modifiers."""

    number: int
    name: str
    type: str


@dataclass(frozen=True)
class Content:
    """A table's rows, each with the values of `columns` as text.

    cut: it has more rows than were read. root: the oid of the partitioned table of which it is a part.
    """

    oid: int
    schema: str
    name: str
    filenode: int
    columns: tuple[Column, ...]
    rows: tuple[tuple[str | None, ...], ...]
    cut: bool = False
    root: int | None = None

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"

    def place(self, number: int) -> int | None:
        """Where the column with this attnum is in a row."""
        return next((place for place, column in enumerate(self.columns) if column.number == number), None)


@dataclass(frozen=True)
class Glance:
    """What a transaction holds and wrote: oid → lock modes; oid → operations (UPDATE, DELETE, TRUNCATE)."""

    locks: Mapping[int, frozenset[str]] = field(default_factory=dict)
    writes: Mapping[int, frozenset[str]] = field(default_factory=dict)

    def heaviest(self, oid: int) -> str | None:
        """The heaviest lock on a table that stops writers, as SQL names it."""
        return next((name for mode, name in HEAVY.items() if mode in self.locks.get(oid, ())), None)

    def changing(self) -> frozenset[int]:
        """The relations whose rows may have been changed."""
        return frozenset(oid for oid, modes in self.locks.items() if modes & _CHANGING)


def install(connection: psycopg.Connection[Any]) -> None:
    """Put the functions and triggers there. connection: a superuser's."""
    connection.execute(_INSTALL.encode(), prepare=False)
    connection.execute(_WATCH.encode(), prepare=False)


def look(connection: psycopg.Connection[Any]) -> Glance:
    """What the transaction holds; what it wrote since the last look."""
    found = connection.execute(b"select promthctl_rehearsal.look()").fetchone()
    assert found is not None
    locks, writes = ({}, {})  # type: dict[int, set[str]], dict[int, set[str]]
    for oid, mode in found[0][0]:
        locks.setdefault(oid, set()).add(mode)
    for oid, operation in found[0][1]:
        writes.setdefault(oid, set()).add(operation)
    return Glance(
        {oid: frozenset(modes) for oid, modes in locks.items()},
        {oid: frozenset(operations) for oid, operations in writes.items()},
    )


def read(connection: psycopg.Connection[Any], oids: Collection[int] | None = None) -> dict[int, Content]:
    """The rows of these tables that are still there, or of all."""
    query = "select * from promthctl_rehearsal.read(%s::oid[])"
    wanted = None if oids is None else [*oids]
    found = {}
    for oid, schema, name, filenode, root, parts, rows in connection.execute(query.encode(), [wanted]):
        columns = tuple(Column(*one) for one in parts)
        cut = len(rows) > _MOST_ROWS
        found[oid] = Content(oid, schema, name, filenode, columns, tuple(tuple(row) for row in rows), cut, root)
    return found


@dataclass(frozen=True)
class Counter:
    """A sequence. reached: the last number it gave. owner, column: whose numbers it gives, an oid and an attnum."""

    name: str
    reached: int
    up: bool
    owner: int | None
    column: int | None


def sequences(connection: psycopg.Connection[Any]) -> dict[int, Counter]:
    """Every sequence by its oid."""
    found = connection.execute(b"select * from promthctl_rehearsal.sequences()")
    return {oid: Counter(label, int(reached), up, owner, column) for oid, label, reached, up, owner, column in found}


def labels(connection: psycopg.Connection[Any]) -> dict[int, str]:
    """The members of all enums by their oid, which a member keeps when it is renamed."""
    return dict(connection.execute(b"select * from promthctl_rehearsal.labels()").fetchall())
