alter default privileges for role postgres in schema public
  revoke all on tables from anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  revoke all on routines from anon, authenticated, service_role;
alter default privileges for role postgres revoke execute on routines from public;
