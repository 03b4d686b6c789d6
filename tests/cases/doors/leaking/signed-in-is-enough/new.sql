create function public.feed() returns setof public.notes language sql security definer set search_path = '' as $$
select * from public.notes n where auth.uid() is not null
$$;
