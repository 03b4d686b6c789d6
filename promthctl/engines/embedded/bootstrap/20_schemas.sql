-- Schemas, default privileges and the extensions a new project starts with.
-- supabase_admin owns every schema but public: `supabase db reset` drops the schemas of anyone else.

create schema auth;
create schema extensions;
create schema graphql;
create schema graphql_public;
create schema pgbouncer;
create schema pgsodium;  -- older projects have it, and their dumps say `create extension pgsodium with schema pgsodium`
create schema realtime;
create schema storage;
create schema supabase_functions;
create schema vault;

alter schema public owner to pg_database_owner;  -- as it is from 15 on
revoke create on schema public from public;
grant all on schema public to postgres;
grant usage on schema public to anon, authenticated, service_role;
grant usage on schema auth, extensions, storage, realtime, supabase_functions, graphql, graphql_public
  to anon, authenticated, service_role;
grant usage on schema auth, supabase_functions to postgres;
grant usage on schema storage, realtime, graphql, graphql_public to postgres with grant option;
grant all on schema extensions to postgres with grant option;
grant execute on function pg_catalog.pg_reload_conf() to postgres with grant option;
grant all on schema auth, extensions, storage to dashboard_user;
grant all on schema auth to supabase_auth_admin;
grant all on schema storage to supabase_storage_admin;
grant all on schema realtime to supabase_realtime_admin;
grant all on schema supabase_functions to supabase_functions_admin;

-- Whatever a migration creates in public is open to the API roles; row level security is the guard.
alter default privileges for role postgres, supabase_admin in schema public
  grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges for role postgres, supabase_admin in schema public
  grant all on sequences to postgres, anon, authenticated, service_role;
alter default privileges for role postgres, supabase_admin in schema public
  grant all on routines to postgres, anon, authenticated, service_role;

alter default privileges for role supabase_auth_admin in schema auth grant all on tables to postgres, dashboard_user;
alter default privileges for role supabase_auth_admin in schema auth grant all on sequences to postgres, dashboard_user;
alter default privileges for role supabase_auth_admin in schema auth grant all on routines to postgres, dashboard_user;

alter default privileges in schema extensions grant all on tables to postgres with grant option;
alter default privileges in schema extensions grant all on sequences to postgres with grant option;
alter default privileges in schema extensions grant all on routines to postgres with grant option;

alter default privileges in schema realtime grant all on tables to postgres, dashboard_user;
alter default privileges in schema realtime grant all on sequences to postgres, dashboard_user;
alter default privileges in schema realtime grant all on routines to postgres, dashboard_user;

alter default privileges in schema graphql, graphql_public, supabase_functions
  grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges in schema graphql, graphql_public, supabase_functions
  grant all on sequences to postgres, anon, authenticated, service_role;
alter default privileges in schema graphql, graphql_public, supabase_functions
  grant all on routines to postgres, anon, authenticated, service_role;

-- postgres owns the extensions, so that it can drop and comment on them as supautils lets it.
drop extension plpgsql;
set role postgres;
create extension plpgsql with schema pg_catalog;
create extension pgcrypto with schema extensions;
create extension "uuid-ossp" with schema extensions;
create extension pg_stat_statements with schema extensions;
create extension supabase_vault with schema vault;
reset role;
-- What a new project starts with belongs to postgres, so that the grants in its dumps can be repeated.
do $$
declare
  member record;
begin
  for member in
    select o.identity, o.type from pg_extension e
      join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e'
     cross join pg_identify_object(d.classid, d.objid, 0) o
     where e.extname in ('pgcrypto', 'uuid-ossp', 'pg_stat_statements') and o.type in ('function', 'view')
  loop
    execute format('alter %s %s owner to postgres', member.type, member.identity);
  end loop;
end $$;

-- pg_graphql is off on new projects since April 2026; this is what the endpoint answers until it is created.
create function graphql_public.graphql(
  "operationName" text default null, query text default null, variables jsonb default null, extensions jsonb default null
) returns jsonb language sql stable as
$$ select '{"errors": [{"message": "pg_graphql extension is not enabled."}]}'::jsonb $$;
