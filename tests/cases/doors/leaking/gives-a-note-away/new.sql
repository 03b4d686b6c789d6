create function public.transfer_note(note_id uuid, new_owner uuid) returns void language plpgsql security definer set search_path = '' as $$
begin
  update public.notes set user_id = new_owner where id = note_id;
end
$$;
