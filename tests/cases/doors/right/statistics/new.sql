create function public.statistics() returns json language sql security definer set search_path = '' as $$
select json_build_object('notes', count(*), 'sum', sum(n.price), 'cheapest', min(n.price), 'dearest', max(n.price), 'average', avg(n.price)) from public.notes n
$$;
