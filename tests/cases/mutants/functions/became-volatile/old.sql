create function public.f(a integer default 1) returns integer language sql stable
  security definer set search_path = '' as 'select a + 1';
revoke all on function public.f from public, anon;
