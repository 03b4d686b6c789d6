create function public.members_of(org_id uuid) returns table (user_id uuid, role text) language plpgsql security definer set search_path = '' as $$
begin
  if not private.is_member(org_id) then raise exception 'not a member'; end if;
  return query select m.user_id, m.role from public.members m where m.organization_id = org_id;
end
$$;
