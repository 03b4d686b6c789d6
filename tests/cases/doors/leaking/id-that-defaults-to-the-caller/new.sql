create function public.my_notes(p_user uuid default auth.uid()) returns setof public.notes language sql security definer set search_path = '' as $$
select * from public.notes n where n.user_id = p_user
$$;
