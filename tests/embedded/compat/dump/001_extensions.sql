-- In the manner of a dump of a hosted project: extensions with a version, and grants on what they brought.
create extension if not exists pg_cron with schema pg_catalog version '1.6.4';
create extension if not exists http with schema extensions version '1.6';
create extension if not exists pgaudit with schema extensions;
alter extension supabase_vault update to '0.3.1';
create role reporting nologin;
grant usage on schema extensions to reporting;
grant all on function extensions.pgaudit_ddl_command_end() to dashboard_user;
grant all on function extensions.pgaudit_sql_drop() to reporting;
revoke usage on schema extensions from reporting;
revoke all on function extensions.pgaudit_sql_drop() from reporting;
drop role reporting;
