-- as supabase_admin
create function public.on_ddl() returns event_trigger language plpgsql as 'begin end';
create event trigger spy on ddl_command_end execute function public.on_ddl();
