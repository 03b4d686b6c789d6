create function private.titles() returns setof text language sql security definer set search_path = '' as $$
select n.title from public.notes n
$$;
grant execute on function private.titles to anon;
create view public.titles with (security_invoker = true) as select title from private.titles() title;
