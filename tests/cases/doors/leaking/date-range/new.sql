create function public.notes_between(date_from timestamptz, date_to timestamptz) returns setof public.notes language sql security definer set search_path = '' as $$
select * from public.notes n where n.created_at between date_from and date_to
$$;
