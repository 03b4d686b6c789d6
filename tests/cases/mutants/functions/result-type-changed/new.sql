drop function public.f(integer);
create function public.f(a integer default 1) returns bigint language sql stable
  security definer set search_path = '' as 'select a + 1';
