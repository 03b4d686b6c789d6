"""Reads what clients may call and look into besides tables: functions and views of the schemas that the API shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from promthctl.isolation.tables import CLIENT_ROLES

if TYPE_CHECKING:
    from psycopg import Connection

# What PostgREST never calls: procedures, triggers, and functions whose arguments or result SQL cannot write.
_FUNCTIONS = """
select p.oid, n.nspname, p.proname, pg_get_function_identity_arguments(p.oid), p.prosecdef, t.typname, t.typtype = 'p',
       t.typname = 'record' and not coalesce(p.proargmodes && array['o', 'b', 't']::"char"[], false),
       p.pronargs, p.pronargdefaults, p.provariadic <> 0, coalesce(p.proargnames, '{}')::text[],
       coalesce(p.proargmodes, '{}')::text[],
       array(select jsonb_build_object(
               'type', format('%%I.%%I', an.nspname, a.typname), 'name', coalesce(ab.typname, a.typname),
               'kind', coalesce(ab.typtype, a.typtype), 'relation', a.typrelid::bigint,
               'element', case when coalesce(ab.typcategory, a.typcategory) = 'A' then
                 (select e.typname from pg_type e where e.oid = coalesce(nullif(ab.typelem, 0), a.typelem)) end,
               'labels', array(select enumlabel from pg_enum where enumtypid = coalesce(ab.oid, a.oid)
                               order by enumsortorder))
             from unnest(p.proargtypes) with ordinality given (oid, place) join pg_type a on a.oid = given.oid
             join pg_namespace an on an.oid = a.typnamespace left join pg_type ab on ab.oid = nullif(a.typbasetype, 0)
             order by given.place),
       array(select r.rolname::text from pg_roles r where r.rolname = any(%(roles)s)
             and has_function_privilege(r.oid, p.oid, 'execute') and has_schema_privilege(r.oid, n.oid, 'usage'))
from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_type t on t.oid = p.prorettype
where n.nspname = any(%(schemas)s) and p.prokind in ('f', 'w')
  and t.typname not in ('trigger', 'event_trigger', 'internal', 'language_handler', 'fdw_handler', 'index_am_handler',
                        'table_am_handler', 'tsm_handler')
  and not exists (select from pg_type i where i.oid = any(p.proargtypes)
                  and i.typname in ('internal', 'cstring', 'trigger', 'event_trigger'))
  and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid
                  and d.deptype in ('e', 'i'))
order by 2, 3, 4
"""

# updatable: what the view passes on to its table: 8 insert, 4 update, 16 delete (src/include/nodes/nodes.h, CmdType).
_VIEWS = """
select c.oid, n.nspname, c.relname, c.relkind = 'm', pg_relation_is_updatable(c.oid, true),
       case when c.relkind = 'm' then pg_get_viewdef(c.oid) end,
       coalesce((select o.option_value::boolean from pg_options_to_table(c.reloptions) o
                 where o.option_name = 'security_invoker'), false),
       coalesce((select jsonb_object_agg(r.rolname, jsonb_build_object(
         'columns', array(select a.attname from pg_attribute a where a.attrelid = c.oid and a.attnum > 0
           and not a.attisdropped and has_column_privilege(r.oid, c.oid, a.attnum, 'select') order by a.attnum),
         'may', array(select p from unnest(array['update', 'delete']) p
           where p = 'update' and has_any_column_privilege(r.oid, c.oid, 'update')
              or p = 'delete' and has_table_privilege(r.oid, c.oid, 'delete'))))
         from pg_roles r where r.rolname = any(%(roles)s) and has_schema_privilege(r.oid, n.oid, 'usage')
          and (has_any_column_privilege(r.oid, c.oid, 'select, update') or has_table_privilege(r.oid, c.oid, 'delete'))
       ), '{}'),
       coalesce((select array_agg(a.attname::text order by a.attnum) from pg_attribute a where a.attrelid = c.oid
         and a.attnum > 0 and not a.attisdropped and pg_column_is_updatable(c.oid, a.attnum, false)), '{}')
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = any(%(schemas)s) and c.relkind in ('v', 'm') and not exists (
  select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
order by 2, 3
"""


@dataclass(frozen=True)
class Argument:
    """type: as a cast spells it. base: the type's name, without its domain. element: of an array.

    row_of: the oid of the table whose row it is, 0 for none. optional: it has a default.
    """

    name: str
    type: str
    base: str
    kind: str
    element: str | None
    row_of: int
    labels: tuple[str, ...]
    optional: bool
    variadic: bool = False


@dataclass(frozen=True, eq=False)
class ApiFunction:
    """roles: the client roles that may call it. result: the type's name; bare: `returns record` without columns."""

    oid: int
    schema: str
    name: str
    signature: str
    definer: bool
    result: str
    bare: bool
    arguments: tuple[Argument, ...]
    roles: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"{_short(self.schema, self.name)}({self.signature})"

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


@dataclass(frozen=True, eq=False)
class ApiView:
    """columns, may: by client role, what it may select, and which of update and delete it may do.

    definition: of a materialized view. invoker: it reads with the caller's rights. updatable: the commands that it
    passes on to its table. settable: its columns that an update may name.
    """

    oid: int
    schema: str
    name: str
    materialized: bool
    updatable: frozenset[str]
    definition: str
    invoker: bool
    columns: dict[str, tuple[str, ...]]
    may: dict[str, tuple[str, ...]]
    settable: tuple[str, ...]

    @property
    def label(self) -> str:
        return _short(self.schema, self.name)

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


def read_functions(connection: Connection[Any], schemas: Sequence[str]) -> list[ApiFunction]:
    """The functions of `schemas` that anon or authenticated may call, without those of extensions."""
    found = connection.execute(_FUNCTIONS.encode(), {"schemas": list(schemas), "roles": list(CLIENT_ROLES)}).fetchall()
    return [_function(*row) for row in found if row[-1]]


def read_views(connection: Connection[Any], schemas: Sequence[str]) -> list[ApiView]:
    """The views and materialized views of `schemas` that anon or authenticated may read or write."""
    found = connection.execute(_VIEWS.encode(), {"schemas": list(schemas), "roles": list(CLIENT_ROLES)}).fetchall()
    views = []
    for oid, schema, name, materialized, events, definition, invoker, held, settable in found:
        passed = frozenset(word for bit, word in ((4, "update"), (16, "delete")) if events & bit)
        columns = {role: tuple(rights["columns"]) for role, rights in held.items()}
        may = {role: tuple(rights["may"]) for role, rights in held.items()}
        if held:
            text = (definition or "").strip().removesuffix(";")
            kept = (text, invoker, columns, may, tuple(settable))
            views.append(ApiView(oid, schema, name, materialized, passed, *kept))
    return views


def _function(
    oid: int, schema: str, name: str, signature: str, definer: bool, result: str, pseudo: bool, bare: bool,
    count: int, defaults: int, variadic: bool, names: list[str], modes: list[str], types: list[dict[str, Any]],
    roles: list[str],
) -> ApiFunction:  # fmt: skip
    own = [each for each, mode in zip(names, modes, strict=False) if mode in "ibv"] if modes else names
    arguments = tuple(
        Argument(
            own[place] if place < len(own) else "", type_["type"], type_["name"], type_["kind"], type_["element"],
            type_["relation"], tuple(type_["labels"]), place >= count - defaults, variadic and place == count - 1,
        )
        for place, type_ in enumerate(types)
    )  # fmt: skip
    return ApiFunction(oid, schema, name, signature, definer, result, bare, arguments, tuple(roles))


def _short(schema: str, name: str) -> str:
    return name if schema == "public" else f"{schema}.{name}"
