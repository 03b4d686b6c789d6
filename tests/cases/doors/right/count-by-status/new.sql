create function public.by_status() returns table (status text, number bigint) language sql security definer set search_path = '' as $$
select n.status, count(*) from public.notes n group by n.status
$$;
