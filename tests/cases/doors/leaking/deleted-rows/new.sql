create function public.trash() returns table (title text) language sql security definer set search_path = '' as $$
select n.title from public.notes n where n.deleted_at is not null
$$;
