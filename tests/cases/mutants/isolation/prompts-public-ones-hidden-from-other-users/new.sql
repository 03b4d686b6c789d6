alter policy prompts_select_own_or_public on prompts using (user_id = (select auth.uid()));
