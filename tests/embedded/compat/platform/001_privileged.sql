-- What the hosted platform lets postgres do although it is no superuser.
create publication everything for all tables;
create publication of_public for tables in schema public;
drop publication everything;

create extension if not exists postgres_fdw with schema extensions;
create server warehouse foreign data wrapper postgres_fdw options (host 'warehouse.example.com', dbname 'w');
create user mapping for postgres server warehouse options (user 'reader', password 'secret');

create extension if not exists citext with schema public;
alter extension citext set schema extensions;
drop extension citext;
comment on extension plpgsql is 'the procedural language';
comment on extension pgcrypto is 'cryptography';
create extension if not exists dblink;
create extension if not exists pg_tle;
create extension if not exists pgaudit with schema extensions;
alter role postgres set pgaudit.log = 'ddl';
create extension if not exists http with schema extensions;
create extension if not exists hypopg with schema extensions;
create extension if not exists index_advisor with schema extensions cascade;
create extension if not exists pgtap with schema extensions;
create extension if not exists plpgsql_check with schema extensions;

set session_replication_role = replica;
insert into auth.users (id, email) values ('00000000-0000-4000-8000-000000000001', 'imported@example.com');
insert into auth.identities (provider_id, user_id, identity_data, provider)
values ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000001', '{"email": "Imported@example.com"}', 'email');
create policy "While replicating" on storage.objects for select using (true);
set session_replication_role = default;
