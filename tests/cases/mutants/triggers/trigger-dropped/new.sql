drop trigger update_projects_updated_at on public.projects;
