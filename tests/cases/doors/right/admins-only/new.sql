create function public.all_notes() returns setof public.notes language plpgsql security definer set search_path = '' as $$
begin
  if not private.is_admin() then raise exception 'admins only'; end if;
  return query select * from public.notes;
end
$$;
