create policy listed on public.notes for select using (is_public);
create function public.count_view(note_id uuid) returns void language sql security definer set search_path = '' as $$
update public.notes set views = views + 1 where id = note_id and is_public
$$;
