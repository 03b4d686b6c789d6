create function public.note_count_of(p_user_id uuid) returns integer language sql security definer set search_path = '' as $$
select count(*)::integer from public.notes n where n.user_id = p_user_id
$$;
