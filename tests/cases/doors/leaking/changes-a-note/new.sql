create function public.rename_note(note_id uuid, new_title text) returns void language sql security definer set search_path = '' as $$
update public.notes set title = new_title where id = note_id
$$;
