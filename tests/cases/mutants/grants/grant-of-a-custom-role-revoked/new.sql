revoke select on public.prompts from reader;
