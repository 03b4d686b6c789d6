create role x superuser;
alter role anon bypassrls;
create role y nobypassrls;
