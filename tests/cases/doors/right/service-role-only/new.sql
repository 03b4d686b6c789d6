create function public.all_notes() returns setof public.notes language plpgsql security definer set search_path = '' as $$
begin
  if auth.role() <> 'service_role' then raise exception 'forbidden' using errcode = '42501'; end if;
  return query select * from public.notes;
end
$$;
