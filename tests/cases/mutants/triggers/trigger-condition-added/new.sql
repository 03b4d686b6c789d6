create or replace trigger update_projects_updated_at before update on public.projects
  for each row when (old.status <> new.status) execute function public.update_updated_at_column();
