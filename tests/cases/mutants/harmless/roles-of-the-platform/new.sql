create role supabase_etl_admin;
create role cli_login_postgres;
create role somebody;
grant select on all tables in schema public to supabase_etl_admin;
