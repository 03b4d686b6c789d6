create policy listed on public.notes for select using (is_public);
create function public.search(term text) returns setof public.notes language sql security definer set search_path = '' as $$
select * from public.notes n where n.is_public and n.title ilike '%' || term || '%'
$$;
