create function public.search_notes(term text, max_rows integer default 20) returns setof public.notes language sql security definer set search_path = '' as $$
select * from public.notes n where n.title ilike '%' || term || '%' limit max_rows
$$;
