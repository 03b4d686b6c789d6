alter function public.update_updated_at_column() security definer;
