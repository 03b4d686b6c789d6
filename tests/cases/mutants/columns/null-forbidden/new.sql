alter table public.prompts alter column tags set not null;
