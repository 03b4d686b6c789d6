alter table public.api_keys add column number serial;
