create function private.everything() returns jsonb language sql security definer set search_path = '' as $$
select jsonb_agg(n) from public.notes n
$$;
create function private.wrapped() returns jsonb language sql  as $$
select jsonb_build_object('data', private.everything())
$$;
create function public.overview() returns jsonb language sql security definer set search_path = '' as $$
select private.wrapped() -> 'data'
$$;
