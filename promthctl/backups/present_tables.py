"""The tables of a backup as they are now on the target: their columns, keys and foreign keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl.backups.manifest import SavedTable

if TYPE_CHECKING:
    import psycopg

_TABLES = """
select n.nspname, c.relname, c.oid, c.relkind = 'p', pg_has_role(c.relowner, 'USAGE'),
       (select e.extname from pg_depend d join pg_extension e on e.oid = d.refobjid
         where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
           and d.refclassid = 'pg_extension'::regclass),
       (select jsonb_agg(a.attname order by k.place)
          from pg_index x cross join unnest(x.indkey[0:x.indnkeyatts - 1]) with ordinality k (number, place)
               join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number
         where x.indrelid = c.oid and x.indisprimary),
       (select jsonb_agg(jsonb_build_array(a.attname, a.attgenerated = '', a.attidentity = 'a',
                 case when pg_get_expr(f.adbin, f.adrelid) !~ '\\(' then pg_get_expr(f.adbin, f.adrelid) end,
                 case when a.atthasmissing then (a.attmissingval::text::text[])[1] end))
          from pg_attribute a left join pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)
  from unnest(%s::text[], %s::text[]) wanted (space, name)
       join pg_namespace n on n.nspname = space join pg_class c on c.relnamespace = n.oid and c.relname = name
 where c.relkind in ('r', 'p')"""
# A foreign key to a partitioned table has copies for its partitions, which are not constraints of their own.
_FOREIGN_KEYS = """
select k.conname, k.conrelid, k.confrelid, n.nspname, p.relname,
       (select array_agg(a.attname::text order by u.place) from unnest(k.conkey) with ordinality u (number, place)
          join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.number),
       (select array_agg(a.attname::text order by u.place) from unnest(k.confkey) with ordinality u (number, place)
          join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.number),
       k.condeferrable, k.condeferred
  from pg_constraint k join pg_class p on p.oid = k.confrelid join pg_namespace n on n.oid = p.relnamespace
 where k.contype = 'f' and k.conrelid = any (%s) and (k.conparentid = 0 or not p.relispartition)
 order by k.conname"""


@dataclass(frozen=True)
class PresentColumn:
    """A column as it is now. settable: not generated. fixed: an identity column that cannot be updated.

    default: as SQL, if it calls no function. filled: the value that existing rows got when it was added, as text.
    """

    name: str
    settable: bool
    fixed: bool
    default: str | None
    filled: str | None


@dataclass(frozen=True)
class PresentTable:
    """A table as it is now. owned: by us, or by a role whose rights we have. extension: the one it belongs to."""

    oid: int
    partitioned: bool
    owned: bool
    extension: str | None
    key: tuple[str, ...]
    columns: Mapping[str, PresentColumn]


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key from columns of the table child to parent_columns of the table parent."""

    name: str
    child: int
    parent: int
    parent_schema: str
    parent_name: str
    columns: tuple[str, ...]
    parent_columns: tuple[str, ...]
    deferrable: bool
    deferred: bool


def read_present_tables(connection: psycopg.Connection[Any], saved: Sequence[SavedTable]) -> Mapping[str, PresentTable]:
    """The tables of a backup as they are now, by label; those that do not exist are left out."""
    names = [table.schema for table in saved], [table.name for table in saved]
    found = {}
    for schema, name, oid, partitioned, owned, extension, key, columns in connection.execute(_TABLES, names):
        by_name = {column[0]: PresentColumn(*column) for column in columns or ()}
        found[f"{schema}.{name}"] = PresentTable(oid, partitioned, owned, extension, tuple(key or ()), by_name)
    return found


def missing_parts(saved: Iterable[SavedTable], now: Mapping[str, PresentTable]) -> list[str]:
    """What the rows of a backup need and the target does not have: tables, and columns that can be set."""
    found = []
    for table in saved:
        if (current := now.get(table.label)) is None:
            found.append(table.label)
            continue
        for wanted in table.columns:
            column = current.columns.get(wanted.name)
            if column is None or not column.settable:
                found.append(f"{table.label}.{wanted.name}{'' if column is None else ' (it is generated now)'}")
    return found


def read_foreign_keys(connection: psycopg.Connection[Any], now: Mapping[str, PresentTable]) -> list[ForeignKey]:
    """The foreign keys of these tables, by name."""
    rows = connection.execute(_FOREIGN_KEYS, ([current.oid for current in now.values()],)).fetchall()
    return [
        ForeignKey(name, child, parent, schema, table, tuple(columns), tuple(parent_columns), deferrable, deferred)
        for name, child, parent, schema, table, columns, parent_columns, deferrable, deferred in rows
    ]
