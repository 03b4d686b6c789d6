"""Objects that neither the diff engine nor a Catalog reads, known by their names alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

# Of the platform's own roles, of extensions and of system schemas, nothing.
_QUERY = """
with named (classid, objid, owner, definition) as (
  select 'pg_operator'::regclass, oid, oprowner, oprcode::text from pg_operator
  union all select 'pg_opclass'::regclass, oid, opcowner, '' from pg_opclass
  union all select 'pg_opfamily'::regclass, oid, opfowner, '' from pg_opfamily
  union all select 'pg_collation'::regclass, oid, collowner, '' from pg_collation
  union all select 'pg_conversion'::regclass, oid, conowner, conproc::text from pg_conversion
  union all select 'pg_ts_dict'::regclass, oid, dictowner, '' from pg_ts_dict
  union all select 'pg_ts_config'::regclass, oid, cfgowner, '' from pg_ts_config
  union all select 'pg_statistic_ext'::regclass, oid, stxowner, pg_get_statisticsobjdef(oid) from pg_statistic_ext
  union all select 'pg_foreign_server'::regclass, oid, srvowner, '' from pg_foreign_server
  union all select 'pg_foreign_data_wrapper'::regclass, oid, fdwowner, '' from pg_foreign_data_wrapper
  union all select 'pg_language'::regclass, oid, lanowner, '' from pg_language
  union all select 'pg_authid'::regclass, oid, null, '' from pg_roles where rolname !~ %(platform)s
  union all select 'pg_cast'::regclass, oid, null, castfunc::regprocedure::text from pg_cast
  union all select 'pg_transform'::regclass, oid, null, '' from pg_transform
  union all select 'pg_class'::regclass, c.oid, relowner, '' from pg_class c join pg_namespace n on n.oid = relnamespace
    where nspname = any (%(managed)s) and relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  union all select 'pg_proc'::regclass, p.oid, proowner, '' from pg_proc p join pg_namespace n on n.oid = pronamespace
    where nspname = any (%(managed)s) and proname !~ '^(grant_pg_|pgrst_|set_graphql_)'
  union all select 'pg_type'::regclass, t.oid, typowner, '' from pg_type t join pg_namespace n on n.oid = typnamespace
    where nspname = any (%(managed)s) and typtype in ('e', 'd', 'r')
)
select i.type || ' ' || i.identity, definition from named, pg_identify_object(classid, objid, 0) i
 where objid >= 16384 and coalesce(i.schema, '') not in ('supabase_migrations', 'information_schema')
   and coalesce(i.schema, '') !~ '^pg_'
   and (owner is null or pg_get_userbyid(owner) !~ '^(supabase_|pgsodium_|pgbouncer|promthctl_|cli_login_)')
   and not exists (select from pg_depend d where d.classid = named.classid and d.objid = named.objid
                      and d.deptype in ('e', 'i'))
"""

_SHARED = ["auth", "extensions", "realtime", "storage"]  # Supabase's own schemas in which migrations make things, too
_STATISTICS = "statistics object"
_DROPPED_AS = {_STATISTICS: "statistics", "foreign-data wrapper": "foreign data wrapper"}


def unread_objects(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Each with its kind, e.g. "statistics object public.s" → what its definition is known by, empty for nothing."""
    from promthctl.schema.queries import PLATFORM_ROLES
    from promthctl.schema.reading import spelled_in_full

    with spelled_in_full(connection) as cursor:
        cursor.execute(_QUERY.encode(), {"managed": _SHARED, "platform": PLATFORM_ROLES})
        return {str(name): str(mark) for name, mark in cursor}


def differing_names(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[str, ...]:
    """The names of what only one side has, or has otherwise."""
    return tuple(sorted(name for name in {**one, **other} if one.get(name) != other.get(name)))


def drop_sql(name: str) -> str:
    """What removes it: the identity that PostgreSQL gives is what DROP takes, and so is nearly every kind."""
    kind = next((kind for kind in _DROPPED_AS if name.startswith(f"{kind} ")), None)
    return f"DROP {_DROPPED_AS[kind].upper()}{name.removeprefix(kind)};" if kind else f"DROP {name};"


def make_sql(name: str, definition: str) -> str:
    """What makes it; empty where that is not known."""
    return f"{definition};" if name.startswith(f"{_STATISTICS} ") else ""
