-- Roles as a hosted Supabase project has them. Per cluster: run once. The other files here are per database.
-- Nothing sets a password. Source: github.com/supabase/postgres, migrations/db, as of October 2026.

-- API roles: PostgREST and Auth switch to one of them after reading the request's token.
create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';

create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';

-- Service roles: each owns the tables of its schema.
create role supabase_auth_admin login noinherit;
alter role supabase_auth_admin set search_path = auth;
alter role supabase_auth_admin set idle_in_transaction_session_timeout = '60s';
create role supabase_storage_admin login noinherit createrole;
alter role supabase_storage_admin set search_path = storage;
grant authenticator to supabase_storage_admin;
create role supabase_realtime_admin nologin noinherit;
create role supabase_functions_admin login noinherit createrole;
alter role supabase_functions_admin set search_path = supabase_functions;
create role supabase_replication_admin login replication;
create role supabase_read_only_user login bypassrls;
grant pg_read_all_data to supabase_read_only_user;
alter role supabase_read_only_user set default_transaction_read_only = on;
create role dashboard_user nologin createdb createrole replication;
create role pgbouncer login;

-- postgres: what migrations run as. No superuser, as on the hosted platform.
create role postgres login createdb createrole replication bypassrls;
alter role postgres set search_path = "$user", public, extensions;
alter role supabase_admin set search_path = "$user", public, auth, extensions;
-- The admin option is what makes `grant app_role to authenticator` and `alter role anon set ...` work.
grant anon, authenticated, service_role, authenticator to postgres with admin option;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres with admin option;
grant supabase_functions_admin to postgres;
-- Settings that supautils.privileged_role_allowed_configs lets postgres change, for itself and for other roles.
-- It says pgrst.*; PostgreSQL wants the names: these are PostgREST's. Before 15 there is no such grant.
do $$
begin
  if current_setting('server_version_num')::integer >= 150000 then
    execute $grant$grant set on parameter session_replication_role, log_min_messages, log_lock_waits, track_io_timing,
      pgrst.app_settings, pgrst.db_aggregates_enabled, pgrst.db_anon_role, pgrst.db_extra_search_path,
      pgrst.db_hoisted_tx_settings, pgrst.db_max_rows, pgrst.db_plan_enabled, pgrst.db_pre_request, pgrst.db_root_spec,
      pgrst.db_schema, pgrst.db_schemas, pgrst.db_tx_end, pgrst.jwt_aud, pgrst.jwt_role_claim_key, pgrst.jwt_secret,
      pgrst.max_rows, pgrst.openapi_mode, pgrst.openapi_security_active, pgrst.openapi_server_proxy_uri,
      pgrst.server_cors_allowed_origins, pgrst.server_timing_enabled, pgrst.server_trace_header,
      auto_explain.log_min_duration, auto_explain.log_nested_statements, pg_net.batch_size, pg_net.ttl,
      pgaudit.log, pgaudit.log_catalog, pgaudit.log_client, pgaudit.log_level, pgaudit.log_relation,
      pgaudit.log_rows, pgaudit.log_statement, pgaudit.log_statement_once, pgaudit.role,
      plan_filter.limit_select_only, plan_filter.statement_cost_limit, safeupdate.enabled
    to postgres$grant$;
  end if;
  if current_setting('server_version_num')::integer >= 160000 then
    grant pg_create_subscription to postgres with admin option;
  end if;
end $$;

-- promthctl's own: who owns the tables of extensions, see 60_supautils.sql.
create role promthctl_extensions nologin;
-- promthctl's own: the login of the API server that stands in for PostgREST.
create role promthctl_api login;
grant anon, authenticated, service_role, pg_read_all_data to promthctl_api;

-- Before PostgreSQL 16 whoever may make roles may grant any but a superuser's: these three reach the operating system.
do $$
begin
  if current_setting('server_version_num')::integer < 160000 then
    update pg_authid set rolsuper = true
     where rolname in ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files');
  end if;
end $$;
