create function public.archive() returns setof public.notes language sql security definer set search_path = '' as $$
select * from public.notes n where n.status = 'archived'
$$;
