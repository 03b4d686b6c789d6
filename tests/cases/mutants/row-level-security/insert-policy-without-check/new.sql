alter policy prompts_insert_own on public.prompts with check (true);
