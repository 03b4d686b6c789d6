create function public.claim_note(p_note_id uuid) returns boolean language plpgsql security definer set search_path = '' as $$
begin
  update public.notes set user_id = auth.uid() where id = p_note_id;
  return found;
end
$$;
