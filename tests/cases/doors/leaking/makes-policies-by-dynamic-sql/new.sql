create function public.expose(name text) returns void language plpgsql security definer set search_path = '' as $$
begin
  execute format('create policy everybody on public.%I for select using (true)', name);
end
$$;
