create function public.share() returns void language plpgsql security definer set search_path = '' as $$
begin
  grant select on public.profiles to anon;
  create policy everybody on public.profiles for select to anon using (true);
end
$$;
