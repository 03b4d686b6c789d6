"""The SQL that reads a catalog: one statement, so that a far-away database costs one round trip.

Every part yields (identity, attributes, origin); `catalog_query` puts them together. No privilege is needed. The origin
is the oid of the relation or routine that the object belongs to, of a comment that of the object, null for the others.
Attributes named "ddl" are for the SQL that fixes a difference and are not compared.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

# Schemas that Supabase makes or that its extensions and services fill; pg_* besides. Source: the list of internal
# schemas in the Supabase CLI (pkg/migration), and the platform's own projects.
MANAGED_SCHEMAS = (
    *("_analytics", "_realtime", "_supavisor", "auth", "cron", "dbdev", "etl", "extensions", "graphql"),
    *("graphql_public", "information_schema", "net", "pgbouncer", "pgmq", "pgmq_public", "pgsodium", "pgsodium_masks"),
    *("pgtle", "realtime", "repack", "storage", "supabase_functions", "supabase_migrations", "tiger", "tiger_data"),
    *("timescaledb_experimental", "timescaledb_information", "topology", "vault"),
)
# Roles of the platform and of promthctl's own engine: what they hold differs from project to project.
PLATFORM_ROLES = "^(pg_|pgsodium_|supabase_|cli_login_|promthctl_)|^(postgres|dashboard_user|pgbouncer|pgtle_admin)$"
API_ROLES = ("anon", "authenticated", "service_role", "authenticator")
# These come with every project, or with a switch in the dashboard.
PLATFORM_EXTENSIONS = (
    *("plpgsql", "pg_stat_statements", "supabase_vault", "pg_graphql", "pgsodium", "pgjwt", "pg_net", "pg_cron"),
    *("index_advisor", "hypopg"),
)
PLATFORM_PUBLICATIONS = "^supabase_realtime_messages_publication"
# What the platform sets for its roles; a project may lack them.
PLATFORM_SETTINGS = (
    *("anon statement_timeout=3s", "authenticated statement_timeout=8s", "authenticator statement_timeout=8s"),
    *("authenticator lock_timeout=8s", "authenticator session_preload_libraries=safeupdate"),
    *("authenticator session_preload_libraries=supautils, safeupdate",),
)
PLATFORM_FUNCTIONS = ("rls_auto_enable",)  # the dashboard's switch "enable RLS on new tables"

SCOPE = """
with member as materialized (
  select classid, objid from pg_depend where deptype = 'e' and refclassid = 'pg_extension'::regclass
),
space as materialized (
  select n.*, quote_ident(n.nspname) as name from pg_namespace n
   where n.nspname !~ '^pg_' and n.nspname <> all ({managed})
     and not exists (select from member where classid = 'pg_namespace'::regclass and objid = n.oid)
),
relation as materialized (
  select c.*, s.name || '.' || quote_ident(c.relname) as name from pg_class c join space s on s.oid = c.relnamespace
   where c.relkind in ('r', 'p', 'f', 'v', 'm', 'S') {among c.oid}
     and not exists (select from member where classid = 'pg_class'::regclass and objid = c.oid)
     and not exists (select from pg_depend d where c.relkind = 'S' and d.classid = 'pg_class'::regclass
                        and d.objid = c.oid and d.deptype = 'i')
),
-- Supabase's own tables too: migrations put triggers and policies on them.
guarded as materialized (
  select oid, name, false as managed from relation where relkind <> 'S'
   union all
  select c.oid, n.nspname || '.' || quote_ident(c.relname), true
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where n.nspname in ('auth', 'storage', 'realtime') and c.relkind in ('r', 'p') {among c.oid}
     and not exists (select from member where classid = 'pg_class'::regclass and objid = c.oid)
),
routine as materialized (
  select p.*, s.name || '.' || quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')' as name
    from pg_proc p join space s on s.oid = p.pronamespace
   where p.proname <> all ({functions}) {among p.oid}
     and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid
                        and d.deptype in ('e', 'i') and d.refclassid in ('pg_extension'::regclass, 'pg_type'::regclass))
),
width as materialized (
  select r.oid as relation, count(*) as number from relation r join pg_attribute a on a.attrelid = r.oid
   where a.attnum > 0 and not a.attisdropped group by r.oid
),
holder as materialized (
  select 0::oid as oid, 'public' as name
   union all
  select oid, quote_ident(rolname) from pg_roles where rolname !~ '{platform}'
),
-- Whoever runs the migrations owns what they make, by whatever name.
owner as materialized (
  select oid, name from holder where oid <> 0 and oid <> (select oid from pg_roles where rolname = current_user)
     and oid <> (select datdba from pg_database where datname = current_database())
)
"""

_PARTS = {
    "roles": """
select quote_ident(r.rolname), jsonb_build_object(
    'superuser', r.rolsuper, 'bypassrls', r.rolbypassrls, 'createrole', r.rolcreaterole, 'createdb', r.rolcreatedb,
    'member_of', coalesce((
      select jsonb_agg(distinct g.rolname order by g.rolname)
        from pg_auth_members m join pg_roles g on g.oid = m.roleid
       where m.member = r.oid and (r.rolname <> 'authenticator' or g.rolname !~ '{platform}')), '[]'),
    -- Settings of extensions and of one's own have a dot in their names, and may hold secrets.
    'settings', coalesce((
      select jsonb_object_agg(name || case when s.setdatabase = 0 then '' else ' in this database' end, value)
        from pg_db_role_setting s cross join unnest(s.setconfig) entry
       cross join lateral (select split_part(entry, '=', 1), substr(entry, strpos(entry, '=') + 1)) e (name, value)
       where s.setrole = r.oid and name !~ '[.]' and format('%s %s=%s', r.rolname, name, value) <> all ({settings})
         and s.setdatabase in (0, (select oid from pg_database where datname = current_database()))), '{}')), null::oid
  from pg_roles r where r.rolname !~ '{platform}'""",
    "schemas": """
select name, jsonb_build_object('owner', (select name from owner where oid = nspowner)), null::oid
  from space""",
    "extensions": """
select quote_ident(extname), jsonb_build_object('ddl', format('create extension %I with schema %s;', extname,
    quote_ident(n.nspname))), null::oid
  from pg_extension e join pg_namespace n on n.oid = e.extnamespace where extname <> all ({extensions})""",
    "types": """
select s.name || '.' || quote_ident(t.typname), case t.typtype
    when 'e' then jsonb_build_object('kind', 'enum', 'values', (
      select jsonb_agg(enumlabel order by enumsortorder) from pg_enum where enumtypid = t.oid))
    when 'd' then jsonb_build_object(
      'kind', 'domain', 'base', format_type(t.typbasetype, t.typtypmod), 'not_null', t.typnotnull,
      'default', t.typdefault, 'checks', coalesce((
        select jsonb_object_agg(quote_ident(conname), pg_get_constraintdef(oid)) from pg_constraint
         where contypid = t.oid and contype = 'c'), '{}'))
    when 'c' then jsonb_build_object('kind', 'composite', 'attributes', (
      select jsonb_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod) order by attnum)
        from pg_attribute where attrelid = t.typrelid and attnum > 0 and not attisdropped))
    else jsonb_build_object('kind', 'range', 'subtype', (
      select format_type(rngsubtype, null) from pg_range where rngtypid = t.oid)) end, null::oid
  from pg_type t join space s on s.oid = t.typnamespace
 where (t.typtype in ('e', 'd', 'r') or t.typtype = 'c' and (select relkind from pg_class where oid = t.typrelid) = 'c')
   and not exists (select from member where classid = 'pg_type'::regclass and objid = t.oid)""",
    "sequences": """
select r.name, jsonb_build_object(
    'type', format_type(q.seqtypid, null), 'start', q.seqstart, 'increment', q.seqincrement, 'min', q.seqmin,
    'max', q.seqmax, 'cache', q.seqcache, 'cycle', q.seqcycle, 'owner', case when not exists (
      select from pg_depend where classid = 'pg_class'::regclass and objid = r.oid and deptype = 'a') then
      (select name from owner where oid = r.relowner) end, 'owned_by', (
      select t.name || '.' || quote_ident(a.attname)
        from pg_depend d join relation t on t.oid = d.refobjid
        join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
       where d.classid = 'pg_class'::regclass and d.objid = r.oid and d.deptype = 'a'
         and d.refclassid = 'pg_class'::regclass)), r.oid
  from relation r join pg_sequence q on q.seqrelid = r.oid""",
    "functions": """
select p.name, jsonb_build_object(
    'kind', case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end,
    'arguments', pg_get_function_arguments(p.oid), 'result', pg_get_function_result(p.oid), 'language', l.lanname,
    'body', coalesce(pg_get_function_sqlbody(p.oid), p.prosrc),
    'volatility', case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
    'strict', p.proisstrict, 'security', case when p.prosecdef then 'definer' else 'invoker' end,
    'leakproof', p.proleakproof, 'parallel', case p.proparallel when 's' then 'safe' when 'r' then 'restricted'
      else 'unsafe' end,
    'owner', (select name from owner where oid = p.proowner),
    'config', coalesce((select jsonb_agg(setting order by setting) from unnest(p.proconfig) setting), '[]'),
    'ddl', case when p.prokind <> 'a' then pg_get_functiondef(p.oid) end), p.oid
  from routine p join pg_language l on l.oid = p.prolang""",
    "tables": """
select r.name, jsonb_build_object(
    'kind', case r.relkind when 'p' then 'partitioned table' when 'f' then 'foreign table' else 'table' end,
    'persistence', case r.relpersistence when 'u' then 'unlogged' when 't' then 'temporary' else 'logged' end,
    'replica_identity', case r.relreplident when 'd' then 'default' when 'n' then 'nothing' when 'f' then 'full'
      else 'using index ' || (select quote_ident(i.relname) from pg_index x join pg_class i on i.oid = x.indexrelid
                               where x.indrelid = r.oid and x.indisreplident) end,
    'owner', (select name from owner where oid = r.relowner),
    'partition_key', case when r.relkind = 'p' then pg_get_partkeydef(r.oid) end,
    'partition_bound', pg_get_expr(r.relpartbound, r.oid),
    'parents', coalesce((
      select jsonb_agg(format('%I.%I', n.nspname, c.relname) order by inhseqno)
        from pg_inherits join pg_class c on c.oid = inhparent join pg_namespace n on n.oid = c.relnamespace
       where inhrelid = r.oid), '[]')), r.oid
  from relation r where r.relkind in ('r', 'p', 'f')""",
    "columns": """
select r.name || '.' || quote_ident(a.attname), jsonb_build_object(
    'table', r.name, 'type', format_type(a.atttypid, a.atttypmod),
    'collation', (select format('%I.%I', n.nspname, c.collname) from pg_collation c
                    join pg_namespace n on n.oid = c.collnamespace
                   where c.oid = a.attcollation and c.oid <> y.typcollation),
    'default', case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end,
    'generated', case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end,
    'virtual', a.attgenerated = 'v',
    -- In PostgreSQL 18 a column can be declared not null without its rows having been looked at.
    'not_null', a.attnotnull and not exists (
      select from pg_constraint where conrelid = r.oid and contype = 'n' and conkey = array[a.attnum]
         and not convalidated),
    'identity', case a.attidentity when 'a' then 'always' when 'd' then 'by default' end, 'place', a.attnum), r.oid
  from relation r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  join pg_type y on y.oid = a.atttypid left join pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
 where r.relkind in ('r', 'p', 'f')""",
    # Whether a column is not null is read with the column; PostgreSQL 18 lists it here as well.
    "constraints": """
select r.name || '.' || quote_ident(c.conname), jsonb_build_object(
    'table', r.name, 'definition', pg_get_constraintdef(c.oid), 'enabled', not exists (
      select from pg_trigger where tgconstraint = c.oid and tgisinternal and tgenabled = 'D')), r.oid
  from relation r join pg_constraint c on c.conrelid = r.oid
 where c.contype in ('c', 'f', 'p', 'u', 'x') and c.conparentid = 0 and c.conislocal""",
    "views": """
select r.name, jsonb_build_object(
    'materialized', r.relkind = 'm', 'definition', pg_get_viewdef(r.oid),
    'owner', (select name from owner where oid = r.relowner),
    'defaults', coalesce((
      select jsonb_object_agg(quote_ident(a.attname), pg_get_expr(d.adbin, d.adrelid)) from pg_attrdef d
        join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum where d.adrelid = r.oid), '{}'),
    'options', coalesce((select jsonb_agg(entry order by entry) from unnest(r.reloptions) entry), '[]')), r.oid
  from relation r where r.relkind in ('v', 'm')""",
    "indexes": """
select s.name || '.' || quote_ident(c.relname), jsonb_build_object(
    'table', r.name, 'definition', pg_get_indexdef(x.indexrelid), 'valid', x.indisvalid), r.oid
  from relation r join pg_index x on x.indrelid = r.oid join pg_class c on c.oid = x.indexrelid
  join space s on s.oid = c.relnamespace
 where not c.relispartition
   and not exists (select from pg_constraint
                    where conrelid = x.indrelid and conindid = x.indexrelid and contype in ('p', 'u', 'x'))""",
    # On Supabase's tables only triggers that call a function of the project or its webhooks.
    "triggers": """
select t.name || '.' || quote_ident(g.tgname), jsonb_build_object(
    'table', t.name, 'definition', pg_get_triggerdef(g.oid), 'enabled', case g.tgenabled when 'O' then 'enabled'
      when 'D' then 'disabled' when 'R' then 'replica' else 'always' end), t.oid
  from guarded t join pg_trigger g on g.tgrelid = t.oid
  join pg_proc p on p.oid = g.tgfoid join pg_namespace n on n.oid = p.pronamespace
 where not g.tgisinternal and g.tgparentid = 0
   and (not t.managed or n.nspname = 'supabase_functions' or exists (select from space where oid = n.oid))""",
    "rules": """
select t.name || '.' || quote_ident(w.rulename), jsonb_build_object(
    'table', t.name, 'definition', pg_get_ruledef(w.oid), 'enabled', case w.ev_enabled when 'O' then 'enabled'
      when 'D' then 'disabled' when 'R' then 'replica' else 'always' end), t.oid
  from relation t join pg_rewrite w on w.ev_class = t.oid where w.rulename <> '_RETURN'""",
    "rls": """
select name, jsonb_build_object('enabled', relrowsecurity, 'forced', relforcerowsecurity), oid
  from relation where relkind in ('r', 'p')""",
    "policies": """
select t.name || '.' || quote_ident(p.polname), jsonb_build_object(
    'table', t.name, 'permissive', p.polpermissive,
    'command', case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'
      else 'all' end,
    'roles', (select jsonb_agg(case when role = 0 then 'public' else quote_ident(pg_get_userbyid(role)) end
                order by case when role = 0 then 'public' else quote_ident(pg_get_userbyid(role)) end)
                from unnest(p.polroles) role),
    'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)), t.oid
  from guarded t join pg_policy p on p.polrelid = t.oid""",
    # A privilege on every column is one on the table. What an owner may do is not granted.
    "grants": """
select format('%s to %s', object, holder), jsonb_build_object(
    'privileges', coalesce(jsonb_agg(privilege order by privilege) filter (where whole), '[]'),
    'grantable', coalesce(jsonb_agg(privilege order by privilege) filter (where whole and grantable), '[]'),
    'columns', coalesce(jsonb_object_agg(privilege, columns) filter (where not whole), '{}')), max(origin)
  from (
    select e.object, max(e.origin) as origin, h.name as holder, e.privilege,
           bool_or(e.grantable and e.attribute is null) as grantable,
           bool_or(e.attribute is null) or count(e.attribute) = min(c.number) as whole,
           jsonb_agg(quote_ident(e.attribute) order by e.attribute) as columns
      from (
        select case relkind when 'S' then 'sequence ' else 'table ' end || name, r.oid, r.oid, null::name, false, a.*
          from relation r,
               aclexplode(coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner))) a
         where a.grantee <> relowner
         union all
        select 'table ' || r.name, r.oid, r.oid, c.attname, false, a.*
          from relation r join pg_attribute c on c.attrelid = r.oid and c.attnum > 0 and not c.attisdropped,
               aclexplode(c.attacl) a where a.grantee <> r.relowner
         union all
        select case prokind when 'p' then 'procedure ' else 'function ' end || name, oid, null, null, false, a.*
          from routine, aclexplode(coalesce(proacl, acldefault('f', proowner))) a where a.grantee <> proowner
         union all
        select 'schema ' || name, null, null, null, false, a.*
          from space, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a where a.grantee <> nspowner
         union all
        -- Whoever opens the users to the API has opened everything.
        select 'table ' || g.name, g.oid, null, null, true, a.*
          from guarded g join pg_class c on c.oid = g.oid, aclexplode(c.relacl) a
         where g.managed and g.name like 'auth.%'
      ) e (object, origin, relation, attribute, managed, grantor, grantee, privilege, grantable)
      join holder h on h.oid = e.grantee left join width c on c.relation = e.relation
     where (not e.managed or h.name in ('public', 'anon', 'authenticated'))
     group by e.object, h.name, e.privilege
  ) held group by object, holder""",
    "default_privileges": """
select format('%s of %s%s to %s', kind, owner, ' in schema ' || space, h.name), jsonb_build_object(
    'privileges', jsonb_agg(a.privilege_type order by a.privilege_type)), null::oid
  from (
    select case t.type when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types'
             else 'schemas' end as kind, quote_ident(o.rolname) as owner, null as space,
           coalesce(d.defaclacl, acldefault(case t.type when 'S' then 's' else t.type end::"char", o.oid)) as acl
      from pg_roles o cross join (values ('r'), ('S'), ('f'), ('T'), ('n')) t (type)
      left join pg_default_acl d on d.defaclrole = o.oid and d.defaclnamespace = 0 and d.defaclobjtype = t.type::"char"
     where o.rolname = 'postgres'
     union all
    select case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
             when 'T' then 'types' else 'schemas' end, quote_ident(o.rolname), s.name, d.defaclacl
      from pg_default_acl d join space s on s.oid = d.defaclnamespace join pg_roles o on o.oid = d.defaclrole
     where o.rolname = 'postgres' or o.rolname !~ '{platform}'
  ) given, aclexplode(acl) a join holder h on h.oid = a.grantee
 where a.privilege_type <> 'MAINTAIN'
 group by kind, owner, space, h.name""",
    "publications": """
select quote_ident(p.pubname), jsonb_build_object(
    'all_tables', p.puballtables, 'insert', p.pubinsert, 'update', p.pubupdate, 'delete', p.pubdelete,
    'truncate', p.pubtruncate), null::oid
  from pg_publication p where p.pubname !~ '{publications}'
 union all
select format('%I: %s', p.pubname, r.name), jsonb_build_object({published}), r.oid
  from pg_publication p join pg_publication_rel l on l.prpubid = p.oid join relation r on r.oid = l.prrelid
 where p.pubname !~ '{publications}'""",
    "event_triggers": """
select quote_ident(e.evtname), jsonb_build_object(
    'event', e.evtevent, 'tags', to_jsonb(e.evttags), 'function', p.name,
    'enabled', case e.evtenabled when 'O' then 'enabled' when 'D' then 'disabled' when 'R' then 'replica'
      else 'always' end), p.oid
  from pg_event_trigger e join routine p on p.oid = e.evtfoid""",
    "comments": """
select i.type || ' ' || i.identity, jsonb_build_object('text', d.description), d.objoid
  from pg_description d cross join lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) i
 where (d.objoid >= 16384 or d.classoid = 'pg_namespace'::regclass and d.objoid >= 2200)
   and d.description <> 'standard public schema' {among d.objoid}
   and not exists (select from member where classid = d.classoid and objid = d.objoid)
   and (exists (select from space where name = i.schema or i.type = 'schema' and name = i.identity)
        or i.schema is null and exists (select from relation where i.identity like '% on ' || relation.name))""",
}
# PostgreSQL 15 brought row filters and column lists.
_PUBLISHED = """
    'where', pg_get_expr(l.prqual, l.prrelid), 'columns', (
      select jsonb_agg(quote_ident(attname) order by attname) from pg_attribute
       where attrelid = l.prrelid and attnum = any (l.prattrs))"""


def _array(names: Sequence[str]) -> str:
    return "array[" + ", ".join(f"'{name}'" for name in names) + "]"


def filled_query(text: str, major: int, among: str = "") -> str:
    """A query with its {placeholders} replaced by the lists of this module.

    among: a query of the oids of the relations and routines that are looked at; "" for all.
    """
    places = {
        "{managed}": _array(MANAGED_SCHEMAS),
        "{functions}": _array(PLATFORM_FUNCTIONS),
        "{extensions}": _array(PLATFORM_EXTENSIONS),
        "{platform}": PLATFORM_ROLES,
        "{publications}": PLATFORM_PUBLICATIONS,
        "{settings}": _array(PLATFORM_SETTINGS),
        "{published}": _PUBLISHED if major >= 15 else "'where', null, 'columns', null",
    }
    for place, value in places.items():
        text = text.replace(place, value)
    chosen = rf"and \1 = any (array({among}))" if among else ""
    return re.sub(r" \{among (\S+)\}", f" {chosen}" if chosen else "", text)


def catalog_query(major: int) -> str:
    """The one query: rows of kind, identity, attributes."""
    return _united(major, "kind, identity, attributes", tuple(_PARTS))


def traced_query(major: int, among: str = "", kinds: Sequence[str] = ()) -> str:
    """The same with the origin of each object.

    among: a query of oids, for what belongs to these relations and routines, comments on these objects, and all roles
    and types. kinds: only these; () for all.
    """
    return _united(major, "kind, identity, attributes, origin", kinds or tuple(_PARTS), among)


def _united(major: int, columns: str, kinds: Sequence[str], among: str = "") -> str:
    parts = (
        "select '{}', part.* from ({}) part".replace("{}", kind, 1).replace("{}", _PARTS[kind], 1) for kind in kinds
    )
    found = "select {} from ({}) found (kind, identity, attributes, origin)".replace("{}", columns, 1)
    return filled_query(SCOPE + found.replace("{}", "\nunion all\n".join(parts), 1), major, among)


# A catalog in the cache is used only if this query read it.
CATALOG_FINGERPRINT = hashlib.sha256(catalog_query(18).encode()).hexdigest()[:16]
