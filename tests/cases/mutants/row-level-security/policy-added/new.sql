create policy everybody on public.api_keys for select using (true);
