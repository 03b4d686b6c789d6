grant execute on function public.update_updated_at_column() to public;
