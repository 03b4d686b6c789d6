alter function public.update_updated_at_column() cost 50;
