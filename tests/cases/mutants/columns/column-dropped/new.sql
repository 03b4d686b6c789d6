alter table public.api_keys drop column metadata;
