-- as supabase_admin
grant select on pg_catalog.pg_authid to anon;
