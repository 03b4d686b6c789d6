create function public.all_titles() returns text[] language sql security definer set search_path = '' as $$
select array_agg(n.title) from public.notes n
$$;
