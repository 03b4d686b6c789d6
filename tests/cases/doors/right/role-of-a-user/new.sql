create function public.get_role(user_id uuid) returns text language sql security definer set search_path = '' as $$
select p.role from public.profiles p where p.id = user_id
$$;
