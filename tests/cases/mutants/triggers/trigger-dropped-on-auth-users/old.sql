create trigger welcome after insert on auth.users
  for each row execute function public.update_updated_at_column();
