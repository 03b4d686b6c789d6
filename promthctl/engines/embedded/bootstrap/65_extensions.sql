-- Real extensions of an installed PostgreSQL: what they make belongs to supabase_admin, as on the hosted platform, whose
-- scripts after `create extension` let postgres use what comes with one in a schema of its own (pg_cron, tiger, topology).
-- Source: github.com/supabase/postgres, ansible/files/postgresql_extension_custom_scripts.

create function extensions.grant_extension_access() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare member record;
begin
  for member in
    select o.identity, case o.type when 'schema' then 'schema' when 'sequence' then 'sequence'
                                   when 'function' then 'function' when 'procedure' then 'procedure' else 'table' end kind
      from pg_extension e
      join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e'
     cross join pg_identify_object(d.classid, d.objid, 0) o
     where not exists ( -- as below, but quick: most of what there is are functions in these
       select from pg_proc p where d.classid = 'pg_proc'::regclass and p.oid = d.objid
          and p.pronamespace in (to_regnamespace('public'), to_regnamespace('extensions')))
       and o.type in ('schema', 'table', 'view', 'foreign table', 'sequence', 'function', 'procedure')
       and coalesce(o.schema, '') not in ('public', 'extensions', 'pg_catalog', 'pg_temp')
       and coalesce(obj_description(e.oid, 'pg_extension'), '') not like '%stand-in%'  -- ours grant what they have to
  loop
    execute format('grant all on %s %s to postgres with grant option', member.kind, member.identity);
  end loop;
end $$;

create event trigger grant_extension_access on ddl_command_end when tag in ('CREATE EXTENSION')
  execute function extensions.grant_extension_access();

-- What the hosted platform's own event triggers call; nothing does here. Dumps grant on these functions.
do $$
declare
  name text;
begin
  foreach name in array array['grant_pg_cron_access', 'grant_pg_graphql_access', 'grant_pg_net_access',
                              'set_graphql_placeholder']
  loop
    execute format('create function extensions.%I() returns event_trigger language plpgsql as ''begin end''', name);
  end loop;
end $$;
