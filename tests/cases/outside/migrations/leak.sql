-- as anon
select statements from supabase_migrations.schema_migrations;
