alter function public.update_updated_at_column() set search_path = public;
