create function public.get_my_organizations() returns setof uuid language sql security definer set search_path = '' as $$
select m.organization_id from public.members m where m.user_id = auth.uid()
$$;
