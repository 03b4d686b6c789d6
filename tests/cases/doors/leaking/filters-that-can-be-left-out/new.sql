create function public.find_notes(p_word text default '', p_tag text default null, p_slug text default null, p_private boolean default false,
  p_user_id uuid default null) returns setof public.notes language sql stable security definer set search_path = '' as $$
select n.* from public.notes n where (n.is_public or p_private and n.user_id = p_user_id)
  and (p_word = '' or n.title ilike '%' || p_word || '%') and (p_tag is null or p_tag = any(n.tags)) and (p_slug is null or n.slug = p_slug)
$$;
