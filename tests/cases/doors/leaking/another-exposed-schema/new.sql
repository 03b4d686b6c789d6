create function api.notes_of(user_id uuid) returns setof public.notes language sql security definer set search_path = '' as $$
select * from public.notes n where n.user_id = $1
$$;
