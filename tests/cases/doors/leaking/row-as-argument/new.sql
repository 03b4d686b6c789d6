create function public.owner_email(n public.notes) returns text language sql security definer set search_path = '' as $$
select u.email::text from auth.users u where u.id = n.user_id
$$;
