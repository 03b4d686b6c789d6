alter table public.projects disable trigger update_projects_updated_at;
