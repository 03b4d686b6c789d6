create function public.members_of(org_id uuid) returns table (email text, role text) language sql security definer set search_path = '' as $$
select u.email::text, m.role from public.members m join auth.users u on u.id = m.user_id where m.organization_id = org_id
$$;
