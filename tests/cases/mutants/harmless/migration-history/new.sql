create schema supabase_migrations;
create table supabase_migrations.schema_migrations (version text primary key);
