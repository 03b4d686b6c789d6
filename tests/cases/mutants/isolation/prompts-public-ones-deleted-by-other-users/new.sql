alter policy prompts_delete_own on prompts using (user_id = (select auth.uid()) or is_public);
