"""The SQL behind advice.py; each query follows the common table expressions in schema/queries.py (SCOPE)."""

from __future__ import annotations

# Client roles that hold any privilege on a relation and usage on its schema.
_REACHED_BY = """
array(select u.rolname::text from pg_roles u
       where u.rolname in ('anon', 'authenticated') and has_schema_privilege(u.oid, r.relnamespace, 'usage')
         and (has_table_privilege(u.oid, r.oid, 'select, insert, update, delete')
              or has_any_column_privilege(u.oid, r.oid, 'select, insert, update'))
       order by 1)"""

TABLES = """
select r.name, r.relrowsecurity as rls, (select count(*) from pg_policy where polrelid = r.oid) as policies,
       exists (select from pg_constraint where conrelid = r.oid and contype = 'p') or r.relkind = 'f' as has_key,
       {reached_by} as reached_by
  from relation r where r.relkind in ('r', 'p', 'f') order by r.name""".replace("{reached_by}", _REACHED_BY)

# The key's columns in any order, before any other column of an index that holds every row.
FOREIGN_KEYS = """
select r.name || '.' || quote_ident(c.conname) as name, r.name as table,
       array(select quote_ident(a.attname) from unnest(c.conkey) with ordinality k (attnum, place)
               join pg_attribute a on a.attrelid = r.oid and a.attnum = k.attnum order by k.place) as columns,
       c.confrelid::regclass::text as target
  from relation r join pg_constraint c on c.conrelid = r.oid
 where c.contype = 'f' and c.conparentid = 0 and not exists (
   select from pg_index x where x.indrelid = r.oid and x.indisvalid and x.indpred is null
      and (string_to_array(x.indkey::text, ' ')::smallint[])[1 : cardinality(c.conkey)] @> c.conkey)
 order by 1"""

# Of two equal indexes a constraint's is kept, otherwise the older one.
DUPLICATES = """
select name, twin from (
  select s.name || '.' || quote_ident(c.relname) as name, k.contype is not null as needed,
         first_value(s.name || '.' || quote_ident(c.relname)) over same as twin
    from relation r join pg_index x on x.indrelid = r.oid join pg_class c on c.oid = x.indexrelid
    join space s on s.oid = c.relnamespace
    left join pg_constraint k on k.conindid = x.indexrelid and k.contype in ('p', 'u', 'x')
   where not c.relispartition
  window same as (
    partition by x.indrelid, c.relam, x.indkey::text, x.indclass::text, x.indcollation::text, x.indoption::text,
                 pg_get_expr(x.indexprs, x.indrelid), pg_get_expr(x.indpred, x.indrelid),
                 x.indisunique and k.contype is null
        order by k.contype is null, x.indexrelid)
) found where name <> twin and not needed order by name"""

# compared: the columns that the policy reads, by table, and whether an index begins with each.
POLICIES = """
select t.name || '.' || quote_ident(p.polname) as name, quote_ident(p.polname) as short, t.name as table,
       quote_ident(c.relname) as plain_table, p.polpermissive as permissive,
       case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'
         else 'all' end as command,
       array(select case when role = 0 then 'public' else quote_ident(pg_get_userbyid(role)) end
               from unnest(p.polroles) role order by 1) as roles,
       pg_get_expr(p.polqual, p.polrelid) as using, pg_get_expr(p.polwithcheck, p.polrelid) as check,
       coalesce((
         select jsonb_object_agg(name, columns) from (
           select o.name, jsonb_agg(distinct jsonb_build_object(
                    'name', quote_ident(a.attname), 'table', quote_ident(oc.relname), 'indexed', exists (
                      select from pg_index x where x.indrelid = o.oid and x.indisvalid and x.indpred is null
                         and x.indkey[0] = a.attnum))) as columns
             from pg_depend d join guarded o on o.oid = d.refobjid join pg_class oc on oc.oid = o.oid
             join pg_attribute a on a.attrelid = o.oid and a.attnum = d.refobjsubid
            where d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_class'::regclass
              and d.refobjsubid > 0 and not o.managed
            group by o.name) each), '{}') as compared
  from guarded t join pg_policy p on p.polrelid = t.oid join pg_class c on c.oid = t.oid order by 1"""

# writable: the schemas on the path in which a client role may create objects.
FUNCTIONS = """
select p.name, p.prosecdef as definer, path.value as path,
       case p.prokind when 'p' then 'procedure' else 'function' end as kind,
       array(select n.nspname::text from pg_namespace n
              where n.nspname = any (regexp_split_to_array(replace(path.value, '"', ''), '\\s*,\\s*'))
                and exists (select from pg_roles u where u.rolname in ('anon', 'authenticated')
                               and has_schema_privilege(u.oid, n.oid, 'create')) order by 1) as writable
  from routine p join pg_language l on l.oid = p.prolang
  left join lateral (select substr(setting, 13) as value from unnest(p.proconfig) setting
                      where setting like 'search\\_path=%') path on true
 where p.prokind in ('f', 'p') and l.lanname <> 'c' and pg_get_function_sqlbody(p.oid) is null order by p.name"""

VIEWS = """
select * from (
  select r.name, r.relkind = 'm' as materialized, {reached_by} as reached_by
    from relation r
   where r.relkind in ('v', 'm') and not exists (
     select from unnest(r.reloptions) entry where entry ~* '^security_invoker=(true|on|yes|1)$')
) v where cardinality(reached_by) > 0 order by name""".replace("{reached_by}", _REACHED_BY)
