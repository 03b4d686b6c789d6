create function public.organizations_of(who uuid) returns setof uuid language sql stable security definer set search_path = '' as
  $$ select organization_id from public.members where user_id = who $$;
