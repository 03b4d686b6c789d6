alter table public.projects alter column current_agent type bigint;
