create function private.notes_of(who uuid) returns setof public.notes language sql security definer set search_path = '' as $$
select * from public.notes n where n.user_id = who
$$;
grant execute on function private.notes_of to authenticated;
create function public.notes_of(who uuid) returns setof public.notes language sql  as $$
select * from private.notes_of(who)
$$;
