create function public.get_note() returns setof public.notes language sql security definer set search_path = '' as $$
select * from public.notes n where n.user_id = auth.uid()
$$;
create function public.get_note(id uuid) returns setof public.notes language sql security definer set search_path = '' as $$
select * from public.notes n where n.id = $1
$$;
