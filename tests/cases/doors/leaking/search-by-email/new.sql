create function public.find_user(p_email text) returns table (id uuid, full_name text) language sql security definer set search_path = '' as $$
select p.id, p.full_name from public.profiles p where p.email ilike p_email
$$;
