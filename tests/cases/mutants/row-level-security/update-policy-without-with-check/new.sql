drop policy prompts_update_own on public.prompts;
create policy prompts_update_own on public.prompts for update to authenticated using (user_id = (select auth.uid()));
