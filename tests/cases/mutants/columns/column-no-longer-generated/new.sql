alter table public.prompts alter column size drop expression;
