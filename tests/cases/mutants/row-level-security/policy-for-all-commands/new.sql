drop policy prompts_delete_own on public.prompts;
create policy prompts_delete_own on public.prompts for all to authenticated using (user_id = (select auth.uid()));
