"""Reads the tables that the isolation proof works on from the system catalogs, with nine queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from promthctl.isolation.tables import (
    API_ROLES,
    CLIENT_ROLES,
    CheckConstraint,
    ColumnType,
    ForeignKey,
    Policy,
    ProbedCatalog,
    ProbedColumn,
    ProbedTable,
    ProbedView,
    Trigger,
    UniqueIndex,
)
from promthctl.schema.queries import MANAGED_SCHEMAS

if TYPE_CHECKING:
    from psycopg import Connection

_OWN = "n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'"

_TABLES = f"""
select c.oid, n.nspname, c.relname, c.relkind, c.relrowsecurity, c.relispartition, n.nspname = any(%s), e.extname,
       coalesce(pg_get_partition_constraintdef(c.oid), ''),
       case when c.relkind = 'p' then (select string_agg(pg_get_expr(p.relpartbound, p.oid), ' ')
         from pg_inherits i join pg_class p on p.oid = i.inhrelid where i.inhparent = c.oid) end,
       (select partattrs::int2[] from pg_partitioned_table where partrelid = c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
left join pg_extension e on e.oid = d.refobjid
where c.relkind in ('r', 'p', 'f') and {_OWN} order by 2, 3
"""  # noqa: S608 - the text inserted is a constant of this file

_COLUMNS = f"""
select a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated <> ''
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where c.relkind in ('r', 'p', 'f') and {_OWN} and a.attnum > 0 and not a.attisdropped order by 1, 2
"""  # noqa: S608

_TYPES = f"""
with recursive used as (
  select a.atttypid as oid
  from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'f') and {_OWN} and a.attnum > 0 and not a.attisdropped
  union
  select unnest(array[t.typbasetype, t.typelem]) from used join pg_type t on t.oid = used.oid
)
select t.oid, t.typname, t.typtype, t.typbasetype, t.typtypmod, case when t.typcategory = 'A' then t.typelem else 0 end,
       t.typnotnull,
       coalesce((select array_agg(enumlabel::text order by enumsortorder) from pg_enum
                 where enumtypid = t.oid), '{{}}'),
       coalesce((select array_agg(pg_get_constraintdef(oid)) from pg_constraint where contypid = t.oid), '{{}}'),
       (select count(*) from pg_attribute where attrelid = t.typrelid and attnum > 0 and not attisdropped)
from used join pg_type t on t.oid = used.oid
"""  # noqa: S608

# A key to a partitioned table is repeated once for every partition; only the first of them counts.
_CONSTRAINTS = f"""
select k.conrelid, k.conname, k.contype, k.conkey, k.confrelid, k.confkey, k.condeferrable,
       case when k.contype = 'c' then pg_get_constraintdef(k.oid) end
from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
where k.contype in ('f', 'c') and {_OWN} and not exists (
  select from pg_constraint p where p.oid = k.conparentid and p.conrelid = k.conrelid)
order by k.conrelid, k.conname
"""  # noqa: S608

_INDEXES = f"""
select i.indrelid, ic.relname, i.indkey::int2[], i.indisprimary,
       i.indpred is null and i.indexprs is null and i.indimmediate and i.indisunique, i.indnkeyatts
from pg_index i join pg_class ic on ic.oid = i.indexrelid
join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
where (i.indisunique or i.indisexclusion) and {_OWN} order by i.indrelid, not i.indisprimary, ic.relname
"""  # noqa: S608

_POLICIES = """
select p.polrelid, p.polname,
       case p.polcmd when 'r' then 'SELECT' when 'a' then 'INSERT' when 'w' then 'UPDATE' when 'd' then 'DELETE'
       else 'ALL' end,
       p.polpermissive,
       array(select r.rolname::text from pg_roles r where r.rolname = any(%s)
             and (0 = any(p.polroles)
                  or exists (select from unnest(p.polroles) m where pg_has_role(r.oid, m, 'USAGE')))),
       concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)),
       array(select distinct d.refobjsubid from pg_depend d where d.classid = 'pg_policy'::regclass and d.objid = p.oid
             and d.refclassid = 'pg_class'::regclass and d.refobjid = p.polrelid and d.refobjsubid > 0),
       pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
from pg_policy p order by 1, 2
"""

_TRIGGERS = """
select t.tgrelid, t.tgname, f.oid::regproc::text, l.lanname, f.prosrc
from pg_trigger t join pg_proc f on f.oid = t.tgfoid join pg_language l on l.oid = f.prolang
where not t.tgisinternal and t.tgenabled <> 'D' order by 1, 2
"""

_VIEWS = f"""
with recursive direct as (
  select r.ev_class as view, d.refobjid as relation from pg_rewrite r
  join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
  where r.rulename = '_RETURN' and d.refobjid <> r.ev_class
),
shown as (select * from direct union select s.view, n.relation from shown s join direct n on n.view = s.relation)
select n.nspname, c.relname, c.relkind, pg_get_viewdef(c.oid),
       array(select distinct relation from shown where view = c.oid),
       array(select r.rolname::text from pg_roles r where r.rolname = any(%s)
             and has_schema_privilege(r.oid, n.oid, 'USAGE') and has_any_column_privilege(r.oid, c.oid, 'SELECT'))
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('v', 'm') and n.nspname = any(%s) and {_OWN}
  and not exists (select from pg_depend e
    where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e')
order by 1, 2
"""  # noqa: S608

_RIGHTS = f"""
select c.oid, r.rolname, p.privilege, has_table_privilege(r.oid, c.oid, p.privilege),
       case when p.privilege <> 'DELETE' and has_any_column_privilege(r.oid, c.oid, p.privilege) then
         array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0
               and not a.attisdropped and has_column_privilege(r.oid, c.oid, a.attnum, p.privilege)) end
from pg_class c join pg_namespace n on n.oid = c.relnamespace
cross join pg_roles r cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p (privilege)
where c.relkind in ('r', 'p', 'f') and n.nspname = any(%s) and r.rolname = any(%s)
  and has_schema_privilege(r.oid, n.oid, 'USAGE') and {_OWN}
"""  # noqa: S608


def own_schemas(connection: Connection[Any]) -> list[str]:
    """The schemas of the user's, which neither PostgreSQL, Supabase nor an extension makes. Raises psycopg.Error."""
    found = connection.execute(
        "select nspname::text from pg_namespace n where nspname !~ '^pg_' and nspname <> all (%s) and not exists"
        " (select from pg_depend d where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e')",
        (list(MANAGED_SCHEMAS),),
    )
    return sorted(name for (name,) in found)


def read_tables(connection: Connection[Any], schemas: Sequence[str]) -> ProbedCatalog:
    """The tables of the database; those in `schemas` are the exposed ones. Raises psycopg.Error."""
    reader = _Reader(connection, list(schemas))
    tables = {table.oid: table for table in reader.tables()}
    users = next((table for table in tables.values() if (table.schema, table.name) == ("auth", "users")), None)
    return ProbedCatalog(tables, users, tuple(reader.views()))


class _Reader:
    """Reads each query once; everything that belongs to a table is by the table's oid."""

    def __init__(self, connection: Connection[Any], schemas: list[str]) -> None:
        self._connection, self._schemas = connection, schemas
        self._columns = self._read_columns()

    def tables(self) -> Iterator[ProbedTable]:
        keys, checks = self._keys_and_checks()
        uniques, policies, triggers = self._uniques(), self._policies(), self._triggers()
        rights, whole = self._rights()
        found = self._connection.execute(_TABLES, (self._schemas,))
        for oid, schema, name, kind, rls, partition, exposed, extension, bound, bounds, parts in found:
            columns = tuple(self._columns[oid].values())
            if bound or bounds:
                limited = self._names(oid, parts) if bounds else tuple(c.name for c in columns if c.name in bound)
                checks[oid].append(CheckConstraint("", limited, f"{bound} {bounds or ''}"))
            yield ProbedTable(
                oid, schema, name, kind, rls, partition, exposed and extension is None, extension,
                columns, tuple(keys[oid]), tuple(uniques[oid]), tuple(checks[oid]),
                tuple(policies[oid]), tuple(triggers[oid]), rights[oid], frozenset(whole[oid]),
            )  # fmt: skip

    def views(self) -> Iterator[ProbedView]:
        for schema, name, kind, definition, shown, roles in self._connection.execute(
            _VIEWS, (list(CLIENT_ROLES), self._schemas)
        ):
            if roles:
                yield ProbedView(schema, name, kind, frozenset(roles), frozenset(shown), definition)

    def _read_columns(self) -> dict[int, dict[int, ProbedColumn]]:
        types = _Types(self._connection.execute(_TYPES).fetchall())
        columns: dict[int, dict[int, ProbedColumn]] = defaultdict(dict)
        for oid, number, name, type_oid, modifier, *rest in self._connection.execute(_COLUMNS):
            columns[oid][number] = ProbedColumn(name, types.get(type_oid, modifier), *rest)
        return columns

    def _names(self, oid: int, numbers: Iterable[int] | None) -> tuple[str, ...]:
        columns = self._columns[oid]
        return tuple(columns[number].name for number in numbers or () if number in columns)

    def _keys_and_checks(self) -> tuple[dict[int, list[ForeignKey]], dict[int, list[CheckConstraint]]]:
        keys: dict[int, list[ForeignKey]] = defaultdict(list)
        checks: dict[int, list[CheckConstraint]] = defaultdict(list)
        found = self._connection.execute(_CONSTRAINTS)
        for oid, name, kind, own, target, theirs, deferrable, definition in found:
            columns = self._names(oid, own)
            if kind == "f":
                keys[oid].append(ForeignKey(name, columns, target, self._names(target, theirs), deferrable))
            else:
                checks[oid].append(CheckConstraint(name, columns, definition))
        return keys, checks

    def _uniques(self) -> dict[int, list[UniqueIndex]]:
        uniques: dict[int, list[UniqueIndex]] = defaultdict(list)
        for oid, name, numbers, primary, usable, count in self._connection.execute(_INDEXES):
            uniques[oid].append(UniqueIndex(name, self._names(oid, numbers[:count]), primary, usable))
        return uniques

    def _policies(self) -> dict[int, list[Policy]]:
        policies: dict[int, list[Policy]] = defaultdict(list)
        found = self._connection.execute(_POLICIES, (list(API_ROLES),))
        for oid, name, command, permissive, roles, condition, numbers, using, check in found:
            columns = frozenset(self._names(oid, numbers))
            policies[oid].append(Policy(name, command, permissive, frozenset(roles), condition, columns, using, check))
        return policies

    def _triggers(self) -> dict[int, list[Trigger]]:
        triggers: dict[int, list[Trigger]] = defaultdict(list)
        for oid, *trigger in self._connection.execute(_TRIGGERS):
            triggers[oid].append(Trigger(*trigger))
        return triggers

    def _rights(self) -> tuple[dict[int, dict[tuple[str, str], frozenset[str]]], dict[int, set[tuple[str, str]]]]:
        """By table: the columns each privilege is held on, and the privileges held on the table as such."""
        rights: dict[int, dict[tuple[str, str], frozenset[str]]] = defaultdict(dict)
        whole: dict[int, set[tuple[str, str]]] = defaultdict(set)
        found = self._connection.execute(_RIGHTS, (self._schemas, list(API_ROLES)))
        for oid, role, privilege, on_table, on_columns in found:
            rights[oid][role, privilege] = frozenset(on_columns or ())
            if on_table:
                whole[oid].add((role, privilege))
        return rights, whole


class _Types:
    """Types by oid, domains resolved to their base types."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._rows = {row[0]: row[1:] for row in rows}

    def get(self, oid: int, modifier: int) -> ColumnType:
        name, kind, base, base_modifier, element, not_null, labels, checks, fields = self._rows[oid]
        if kind == "d":
            under = self.get(base, base_modifier)
            return ColumnType(
                under.name, under.kind, under.modifier, under.labels, under.element, under.fields, name,
                (*under.checks, *checks), under.not_null or not_null,
            )  # fmt: skip
        inner = self.get(element, modifier) if element else None
        return ColumnType(name, kind, modifier, tuple(labels), inner, fields)
