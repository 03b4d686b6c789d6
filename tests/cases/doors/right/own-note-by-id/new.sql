create function public.get_note(note_id uuid) returns setof public.notes language sql security definer set search_path = '' as $$
select * from public.notes n where n.id = note_id and n.user_id = (select auth.uid())
$$;
