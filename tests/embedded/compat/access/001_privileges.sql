create schema if not exists api;
create schema if not exists private authorization postgres;
grant usage on schema api to anon, authenticated, service_role;
revoke all on schema private from public, anon, authenticated;

alter default privileges in schema api grant select on tables to anon, authenticated;
alter default privileges for role postgres in schema api grant all on tables to service_role;
alter default privileges revoke execute on functions from public;
alter default privileges for role postgres in schema public revoke execute on functions from anon, authenticated;
alter default privileges for role postgres in schema public grant all on sequences to service_role;

create table api.items (id serial primary key, name text);
create function public.internal_only() returns integer language sql as 'select 1';

do $$
begin
  if not exists (select from pg_roles where rolname = 'reporting') then
    create role reporting nologin;
  end if;
end $$;
grant reporting to authenticator;
grant anon to reporting;
grant usage on schema api, storage, extensions to reporting;
grant select on all tables in schema api to reporting;
grant select on auth.users to reporting;

alter role authenticator set pgrst.db_schemas = 'public, graphql_public, api';
alter role anon set statement_timeout = '5s';
alter role postgres set statement_timeout = '2min';
alter role authenticator set pgrst.db_pre_request = 'public.internal_only';
notify pgrst, 'reload config';
notify pgrst, 'reload schema';
grant usage, select on all sequences in schema api to authenticated;
grant usage on schema auth to service_role;
grant all on all tables in schema public to postgres, anon, authenticated, service_role;
