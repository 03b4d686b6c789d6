alter table public.prompts alter column number drop identity;
