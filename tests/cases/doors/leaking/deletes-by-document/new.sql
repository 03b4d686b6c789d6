create function public.remove_note(payload jsonb) returns void language plpgsql security definer set search_path = '' as $$
begin
  if auth.uid() is null then raise exception 'sign in'; end if;
  delete from public.notes where id = (payload ->> 'note_id')::uuid;
end
$$;
