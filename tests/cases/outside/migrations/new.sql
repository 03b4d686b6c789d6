create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text primary key, statements text[], name text);
insert into supabase_migrations.schema_migrations values ('1', '{password of alice}', 'first');
grant usage on schema supabase_migrations to anon;
grant select on all tables in schema supabase_migrations to anon;
