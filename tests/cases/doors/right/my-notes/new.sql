create function public.my_notes() returns setof public.notes language sql security definer set search_path = '' as $$
select * from public.notes n where n.user_id = auth.uid()
$$;
