-- as anon
select 'of alice' from pg_authid;
