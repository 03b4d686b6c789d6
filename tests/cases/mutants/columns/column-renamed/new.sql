alter table public.api_keys rename column masked_key to mask;
