create function public.report(p_user uuid default null, p_status text default null) returns table (title text, body text) language sql security definer set search_path = '' as $$
select n.title, n.body from public.notes n where (p_user is null or n.user_id = p_user) and (p_status is null or n.status = p_status)
$$;
