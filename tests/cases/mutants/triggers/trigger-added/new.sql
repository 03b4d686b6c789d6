create trigger more before insert on public.projects
  for each row execute function public.update_updated_at_column();
