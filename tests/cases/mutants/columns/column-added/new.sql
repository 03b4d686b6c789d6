alter table public.api_keys add column plain_key text;
