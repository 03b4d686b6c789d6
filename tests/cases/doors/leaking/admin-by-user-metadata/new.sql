create function public.admin_notes() returns setof public.notes language plpgsql security definer set search_path = '' as $$
begin
  if (auth.jwt() -> 'user_metadata' ->> 'role') is distinct from 'admin' then raise exception 'not an admin'; end if;
  return query select * from public.notes;
end
$$;
