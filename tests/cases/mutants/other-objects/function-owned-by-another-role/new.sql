alter function public.update_updated_at_column() owner to app_owner;
