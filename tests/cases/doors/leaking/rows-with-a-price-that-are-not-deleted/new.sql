create function public.cheap() returns setof public.notes language sql security definer set search_path = '' as $$
select * from public.notes n where n.price < 50 and n.deleted_at is null
$$;
