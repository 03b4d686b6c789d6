grant select on public.api_keys to public;
