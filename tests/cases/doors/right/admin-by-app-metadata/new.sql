create function public.all_notes() returns setof public.notes language plpgsql security definer set search_path = '' as $$
begin
  if (auth.jwt() -> 'app_metadata' ->> 'role') is distinct from 'admin' then raise exception 'admins only'; end if;
  return query select * from public.notes;
end
$$;
