create function public.delete_note(note_id uuid) returns void language plpgsql security definer set search_path = '' as $$
begin
  delete from public.notes n where n.id = note_id and n.user_id = auth.uid();
  if not found then raise exception 'no such note'; end if;
end
$$;
