create function public.note_title(inout note_id uuid, out heading text) language plpgsql security definer set search_path = '' as $$
begin
  select n.title into heading from public.notes n where n.id = note_id;
end
$$;
