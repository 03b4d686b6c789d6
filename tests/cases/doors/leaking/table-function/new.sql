create function public.list_users() returns table (id uuid, email text) language sql security definer set search_path = '' as $$
select u.id, u.email::text from auth.users u
$$;
