alter table public.prompts add column number bigint generated always as identity;
