"""What the Supabase CLI's reset of a database leaves there, so that replayed migrations meet it again.

Found by making an object of each kind, resetting, and looking (tests/embedded/test_reset_survivors.py does it again).
Each comes with the statement that removes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl.resetting.contents import GOING_SCHEMAS, KEPT_EXTENSIONS, reading
from promthctl.steps import Steps
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

_LIMIT = 1000  # of each kind; a database may have a million large objects
# Roles of the platform and of PostgreSQL; what they own is theirs.
_PLATFORM = (
    "^(pg_.*|supabase_.*|pgsodium_.*|pgtle_.*|cli_login_.*|anon|authenticated|service_role|authenticator|postgres|"
    "dashboard_user|pgbouncer|promthctl_.*)$"
)
_MACROS = {
    r"own\((\S+), (\w+)\)": r"pg_get_userbyid(\1) !~ '^(supabase_.*|pgsodium_.*|promthctl_.*|pgbouncer)$'"
    r" and \2.oid >= 16384",
    r"not_member\((\w+), (\w+)\)": r"not exists (select from pg_depend d where d.classid = '\1'::regclass"
    r" and d.objid = \2.oid and d.deptype = 'e')",
    r"kept_extensions\(\)": ", ".join(f"'{name}'" for name in KEPT_EXTENSIONS),
    r"platform\(\)": f"'{_PLATFORM}'",
}
_PREPARED = f"""
with going as ({GOING_SCHEMAS}), stays as (
  select oid, nspname, nspname <> 'public' as whole from pg_namespace
   where nspname not in (select nspname from going) and nspname !~ '^pg_'
     and nspname not in ('information_schema', 'supabase_migrations'))
"""  # noqa: S608


def _named(kind: str, catalog: str, prefix: str) -> str:
    """The query for objects that have an owner, a schema, a name and nothing else to them."""
    text = """
select '{kind}', format('%I.%I', s.nspname, o.{prefix}name), format('drop {kind} %I.%I', s.nspname, o.{prefix}name)
  from {catalog} o join stays s on s.oid = o.{prefix}namespace
 where own(o.{prefix}owner, o) and not_member({catalog}, o)"""
    return text.format(kind=kind, catalog=catalog, prefix=prefix)


# Of public only what the CLI does not drop; of a schema that stays as a whole everything.
_QUERIES = (
    """
select k.kind, format('%I.%I', s.nspname, c.relname), format('drop %s %I.%I cascade', k.kind, s.nspname, c.relname)
  from pg_class c join stays s on s.oid = c.relnamespace
  join (values ('S'::"char", 'sequence'), ('r', 'table'), ('p', 'table'), ('f', 'foreign table'), ('v', 'view'),
        ('m', 'materialized view')) k (letter, kind) on k.letter = c.relkind
 where (s.whole or c.relkind = 'S') and not c.relispartition and own(c.relowner, c)
   and not_member(pg_class, c)
   and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid
                    and d.deptype in ('a', 'i') and d.refclassid = 'pg_class'::regclass)""",
    """select 'function', format('%I.%I(%s)', s.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
       format('drop routine %I.%I(%s) cascade', s.nspname, p.proname, pg_get_function_identity_arguments(p.oid))
  from pg_proc p join stays s on s.oid = p.pronamespace
 where s.whole and own(p.proowner, p) and not_member(pg_proc, p)""",
    """select 'type', format('%I.%I', s.nspname, t.typname), format('drop type %I.%I cascade', s.nspname, t.typname)
  from pg_type t join stays s on s.oid = t.typnamespace left join pg_class c on c.oid = t.typrelid
 where (s.whole and (t.typtype in ('d', 'e', 'r') or c.relkind = 'c') or t.typtype = 'b' and t.typcategory <> 'A')
   and own(t.typowner, t) and not_member(pg_type, t)""",
    _named("collation", "pg_collation", "coll"),
    _named("text search configuration", "pg_ts_config", "cfg"),
    _named("text search dictionary", "pg_ts_dict", "dict"),
    _named("conversion", "pg_conversion", "con"),
    """select 'operator', o.oid::regoperator::text, 'drop operator ' || format('%I.%s (%s, %s)', s.nspname, o.oprname,
       case when o.oprleft = 0 then 'none' else format_type(o.oprleft, null) end, format_type(o.oprright, null))
  from pg_operator o join stays s on s.oid = o.oprnamespace join pg_proc p on p.oid = o.oprcode
  join pg_namespace n on n.oid = p.pronamespace
 where n.nspname <> 'public' and n.nspname not in (select nspname from going)
   and own(o.oprowner, o) and not_member(pg_operator, o)""",
    """select 'operator family', format('%I.%I', s.nspname, f.opfname),
       format('drop operator family %I.%I using %I cascade', s.nspname, f.opfname, a.amname)
  from pg_opfamily f join stays s on s.oid = f.opfnamespace join pg_am a on a.oid = f.opfmethod
 where own(f.opfowner, f) and not_member(pg_opfamily, f)""",
    """select 'trigger', format('%I on %I.%I', t.tgname, s.nspname, c.relname),
       format('drop trigger %I on %I.%I', t.tgname, s.nspname, c.relname)
  from pg_trigger t join pg_class c on c.oid = t.tgrelid join stays s on s.oid = c.relnamespace
  join pg_proc p on p.oid = t.tgfoid join stays f on f.oid = p.pronamespace
 where not t.tgisinternal and s.whole and f.whole and own(p.proowner, p)""",
    """select 'event trigger', quote_ident(e.evtname), format('drop event trigger %I', e.evtname)
  from pg_event_trigger e join pg_proc p on p.oid = e.evtfoid join stays s on s.oid = p.pronamespace
 where s.whole and own(e.evtowner, e) and not_member(pg_event_trigger, e)""",
    """select 'foreign server', quote_ident(v.srvname), format('drop server %I cascade', v.srvname)
  from pg_foreign_server v join pg_foreign_data_wrapper w on w.oid = v.srvfdw
 where not_member(pg_foreign_data_wrapper, w) and own(v.srvowner, v)""",
    """select 'extension', quote_ident(extname), format('drop extension %I cascade', extname) from pg_extension
 where extname in (kept_extensions())
   and extname not in ('pg_stat_statements', 'pgcrypto', 'plpgsql', 'supabase_vault', 'uuid-ossp')""",
    """select 'role', quote_ident(rolname), format('drop role %I', rolname) from pg_roles
 where oid >= 16384 and rolname !~ platform() and rolname <> current_user and not rolsuper""",
    """select 'large object', oid::text, format('select lo_unlink(%s)', oid) from pg_largeobject_metadata""",
)
# Rows that a migration can insert, of tables that not every database has.
_ROWS = {
    "storage.buckets": "select 'storage bucket', id, format('set storage.allow_delete_query = ''true''; delete from"
    " storage.objects where bucket_id = %1$L; delete from storage.buckets where id = %1$L', id) from storage.buckets",
    "vault.secrets": "select 'vault secret', coalesce(name, id::text),"
    " format('delete from vault.secrets where id = %L', id) from vault.secrets",
}


@dataclass(frozen=True)
class Survivor:
    """kind: as SQL calls it. name: with its schema. remove: the statement that removes it."""

    kind: str
    name: str
    remove: str

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.name


def read_survivors(target: Target, steps: Steps) -> tuple[Survivor, ...]:
    """What is in the database that the CLI's reset would leave there, without what is the platform's own."""
    with reading(target, steps) as (connection, _):
        found = [row for query in _QUERIES for row in _first(connection, _PREPARED + _expanded(query))]
        for table, query in _ROWS.items():
            readable = "select coalesce(has_table_privilege(to_regclass(%s), 'select'), false)"
            if connection.execute(readable, [table]).fetchone() == (True,):
                found += _first(connection, query)
        return tuple(Survivor(*map(str, row)) for row in found)


def _first(connection: psycopg.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    return connection.execute(f"{query} order by 1, 2 limit {_LIMIT}".encode(), prepare=False).fetchall()


def _expanded(query: str) -> str:
    for macro, text in _MACROS.items():
        query = re.sub(macro, text, query)
    return query
