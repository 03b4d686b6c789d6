create function public.dashboard() returns jsonb language sql security definer set search_path = '' as $$
select jsonb_build_object('total', count(*), 'newest', jsonb_agg(jsonb_build_object('t', n.title) order by n.created_at desc)) from public.notes n
$$;
