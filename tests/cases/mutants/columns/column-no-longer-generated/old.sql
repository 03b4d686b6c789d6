alter table public.prompts add column size integer generated always as (length(content)) stored;
