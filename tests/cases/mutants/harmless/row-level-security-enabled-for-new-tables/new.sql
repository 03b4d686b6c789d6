-- as supabase_admin
create function public.rls_auto_enable() returns event_trigger
  language plpgsql security definer set search_path = pg_catalog as 'begin end';
create event trigger ensure_rls on ddl_command_end execute function public.rls_auto_enable();
