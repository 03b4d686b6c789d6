create function public.all_notes() returns setof public.notes language sql security definer set search_path = '' as $$
select * from public.notes
$$;
