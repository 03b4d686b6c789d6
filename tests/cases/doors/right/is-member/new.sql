create function public.is_member(org_id uuid) returns boolean language sql security definer set search_path = '' as $$
select exists (select from public.members m where m.organization_id = org_id and m.user_id = auth.uid())
$$;
