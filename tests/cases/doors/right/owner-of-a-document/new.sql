create function public.note_owner(note_id uuid) returns uuid language sql stable security definer set search_path = '' as
  $$ select user_id from public.notes where id = note_id $$;
