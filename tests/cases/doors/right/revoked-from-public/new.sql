create function public.all_notes() returns setof public.notes language sql security definer set search_path = '' as $$
select * from public.notes
$$;
revoke execute on function public.all_notes from public, anon, authenticated;
