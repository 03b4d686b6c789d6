create or replace trigger update_projects_updated_at before update on public.projects
  for each row execute function public.update_cli_session_last_seen();
