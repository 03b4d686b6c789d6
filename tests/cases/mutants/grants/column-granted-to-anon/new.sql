grant select (masked_key) on public.api_keys to anon;
