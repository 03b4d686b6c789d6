create or replace trigger update_projects_updated_at before insert on public.projects
  for each row execute function public.update_updated_at_column();
