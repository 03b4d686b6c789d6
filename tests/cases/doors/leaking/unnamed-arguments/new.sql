create function public.body_of(uuid, integer) returns text language sql security definer set search_path = '' as $$
select substr(n.body, $2) from public.notes n where n.id = $1
$$;
