alter policy prompts_update_own on prompts using (user_id = (select auth.uid()) or is_public)
  with check (true);
