-- as supabase_admin
alter function public.update_updated_at_column() owner to supabase_admin;
