create function public.newest_note(out title text, out author uuid) language sql security definer set search_path = '' as $$
  select n.title, n.user_id from public.notes n order by n.created_at desc limit 1
$$;
