alter table public.api_keys drop column metadata;
alter table public.api_keys add column metadata jsonb not null default '{}';
alter table public.api_keys drop column last_used, add column last_used timestamptz;
create index on public.api_keys using gin (metadata);
