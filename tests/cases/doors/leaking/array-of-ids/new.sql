create function public.names_of(user_ids uuid[]) returns setof text language sql security definer set search_path = '' as $$
select p.full_name from public.profiles p where p.id = any (user_ids)
$$;
