"""The tables of a database as the isolation proof needs them, read from the catalog with eight queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    from psycopg import Connection

CLIENT_ROLES = ("anon", "authenticated")
API_ROLES = (*CLIENT_ROLES, "service_role")


@dataclass(frozen=True)
class Type:
    """A data type; a domain is its base type with the domain's name and checks.

    kind: pg_type.typtype, b(ase), e(num), c(omposite), r(ange) or m(ultirange). modifier: atttypmod, -1 for none.
    labels: of an enum. element: of an array. fields: number of columns of a composite. checks: of the domain.
    """

    name: str
    kind: str = "b"
    modifier: int = -1
    labels: tuple[str, ...] = ()
    element: Type | None = None
    fields: int = 0
    domain: str | None = None
    checks: tuple[str, ...] = ()
    not_null: bool = False


@dataclass(frozen=True)
class Column:
    """sql_type: as a cast spells it. default: the expression. identity: '', 'a'(lways) or 'd' (by default)."""

    name: str
    type: Type
    sql_type: str
    not_null: bool = False
    default: str | None = None
    identity: str = ""
    generated: bool = False

    @property
    def required(self) -> bool:
        """Whether an insert must name it."""
        return (self.not_null or self.type.not_null) and not (self.default or self.identity or self.generated)

    @property
    def sequence(self) -> bool:
        """Whether its default draws from a sequence, which no rollback undoes."""
        return bool(self.identity) or "nextval(" in (self.default or "")


@dataclass(frozen=True)
class ForeignKey:
    """target: the referenced table's oid; columns[i] refers to target_columns[i]."""

    name: str
    columns: tuple[str, ...]
    target: int
    target_columns: tuple[str, ...]
    deferrable: bool = False


@dataclass(frozen=True)
class Unique:
    """A unique or exclusion index. usable: an upsert can name it: no predicate, no expression, not deferrable."""

    name: str
    columns: tuple[str, ...]
    primary: bool = False
    usable: bool = True


@dataclass(frozen=True)
class Check:
    """A check constraint; the name is empty for what a partition's bounds demand."""

    name: str
    columns: tuple[str, ...]
    definition: str


@dataclass(frozen=True)
class Policy:
    """command: SELECT, INSERT, UPDATE, DELETE or ALL. roles: the API roles it is for. condition: both expressions.

    columns: the table's own columns that the expressions name.
    """

    name: str
    command: str
    permissive: bool
    roles: frozenset[str]
    condition: str
    columns: frozenset[str]


@dataclass(frozen=True)
class Trigger:
    """An enabled trigger; source: the body of its function."""

    name: str
    function: str
    language: str
    source: str


@dataclass(frozen=True, eq=False)
class Table:
    """kind: pg_class.relkind, r(egular), p(artitioned) or f(oreign).

    partition: of another table. exposed: in a schema that clients reach, and not an extension's. rights: (role,
    privilege) → the columns it is held on; whole: the (role, privilege) pairs held on the table as such.
    """

    oid: int
    schema: str
    name: str
    kind: str
    rls: bool
    partition: bool
    exposed: bool
    extension: str | None
    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    uniques: tuple[Unique, ...] = ()
    checks: tuple[Check, ...] = ()
    policies: tuple[Policy, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    rights: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    whole: frozenset[tuple[str, str]] = frozenset()

    @property
    def label(self) -> str:
        """The name to show: without the schema where that is public."""
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"

    @cached_property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    @cached_property
    def column(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @cached_property
    def primary_key(self) -> tuple[str, ...]:
        return next((unique.columns for unique in self.uniques if unique.primary), ())

    def may(self, role: str, privilege: str) -> bool:
        """Whether `role` holds the privilege on the table or on any of its columns."""
        return bool(self.rights.get((role, privilege))) or (role, privilege) in self.whole

    def lets(self, role: str, command: str) -> bool:
        """Whether `role` may try the command: it holds the privilege and, under RLS, some policy is for it."""
        return self.may(role, command) and (
            not self.rls
            or any(p.permissive and role in p.roles and p.command in (command, "ALL") for p in self.policies)
        )


@dataclass(frozen=True)
class Catalog:
    """Every table outside the system's schemas, by oid; users: auth.users, if there."""

    tables: Mapping[int, Table]
    users: Table | None

    @property
    def exposed(self) -> tuple[Table, ...]:
        return tuple(table for table in self.tables.values() if table.exposed)


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
             and d.refclassid = 'pg_class'::regclass and d.refobjid = p.polrelid and d.refobjsubid > 0)
from pg_policy p order by 1, 2
"""

_TRIGGERS = """
select t.tgrelid, t.tgname, f.oid::regproc::text, l.lanname, f.prosrc
from pg_trigger t join pg_proc f on f.oid = t.tgfoid join pg_language l on l.oid = f.prolang
where not t.tgisinternal and t.tgenabled <> 'D' order by 1, 2
"""

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


def read(connection: Connection[Any], schemas: Sequence[str]) -> Catalog:
    """The tables of the database; those in `schemas` are the exposed ones. Raises psycopg.Error."""
    types = _Types(connection.execute(_TYPES).fetchall())
    columns: dict[int, dict[int, Column]] = defaultdict(dict)
    for oid, number, name, type_oid, modifier, written, not_null, default, identity, generated in connection.execute(
        _COLUMNS
    ):
        kind = types.get(type_oid, modifier)
        columns[oid][number] = Column(name, kind, written, not_null, default, identity, generated)

    def names(oid: int, numbers: Iterable[int] | None) -> tuple[str, ...]:
        return tuple(columns[oid][number].name for number in numbers or () if number in columns[oid])

    keys: dict[int, list[ForeignKey]] = defaultdict(list)
    checks: dict[int, list[Check]] = defaultdict(list)
    for oid, name, kind, own, target, theirs, deferrable, definition in connection.execute(_CONSTRAINTS):
        if kind == "f":
            keys[oid].append(ForeignKey(name, names(oid, own), target, names(target, theirs), deferrable))
        else:
            checks[oid].append(Check(name, names(oid, own), definition))
    uniques: dict[int, list[Unique]] = defaultdict(list)
    for oid, name, numbers, primary, usable, count in connection.execute(_INDEXES):
        uniques[oid].append(Unique(name, names(oid, numbers[:count]), primary, usable))
    policies: dict[int, list[Policy]] = defaultdict(list)
    for oid, name, command, permissive, roles, condition, numbers in connection.execute(_POLICIES, (list(API_ROLES),)):
        policies[oid].append(
            Policy(name, command, permissive, frozenset(roles), condition, frozenset(names(oid, numbers)))
        )
    triggers: dict[int, list[Trigger]] = defaultdict(list)
    for oid, *trigger in connection.execute(_TRIGGERS):
        triggers[oid].append(Trigger(*trigger))
    rights: dict[int, dict[tuple[str, str], frozenset[str]]] = defaultdict(dict)
    whole: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for oid, role, privilege, on_table, on_columns in connection.execute(_RIGHTS, (list(schemas), list(API_ROLES))):
        rights[oid][role, privilege] = frozenset(on_columns or ())
        if on_table:
            whole[oid].add((role, privilege))

    tables: dict[int, Table] = {}
    for oid, schema, name, kind, rls, partition, exposed, extension, bound, bounds, parts in connection.execute(
        _TABLES, (list(schemas),)
    ):
        if bound or bounds:
            limited = names(oid, parts) if bounds else tuple(c.name for c in columns[oid].values() if c.name in bound)
            checks[oid].append(Check("", limited, f"{bound} {bounds or ''}"))
        tables[oid] = Table(
            oid, schema, name, kind, rls, partition, exposed and extension is None, extension,
            tuple(columns[oid].values()), tuple(keys[oid]), tuple(uniques[oid]), tuple(checks[oid]),
            tuple(policies[oid]), tuple(triggers[oid]), rights[oid], frozenset(whole[oid]),
        )  # fmt: skip
    users = next((table for table in tables.values() if (table.schema, table.name) == ("auth", "users")), None)
    return Catalog(tables, users)


class _Types:
    """Types by oid, domains resolved to what they rest on."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._rows = {row[0]: row[1:] for row in rows}

    def get(self, oid: int, modifier: int) -> Type:
        name, kind, base, base_modifier, element, not_null, labels, checks, fields = self._rows[oid]
        if kind == "d":
            under = self.get(base, base_modifier)
            return Type(
                under.name, under.kind, under.modifier, under.labels, under.element, under.fields, name,
                (*under.checks, *checks), under.not_null or not_null,
            )  # fmt: skip
        inner = self.get(element, modifier) if element else None
        return Type(name, kind, modifier, tuple(labels), inner, fields)
