create function public.export_notes() returns json language sql security definer set search_path = '' as $$
select json_agg(n) from public.notes n
$$;
