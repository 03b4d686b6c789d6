create function public.get_body(note_id uuid) returns text language sql security definer set search_path = '' as $$
select n.body from public.notes n where n.id = note_id
$$;
