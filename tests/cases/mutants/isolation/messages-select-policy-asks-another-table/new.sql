alter policy messages_select_own on messages
  using (session_id in (select id from projects where user_id = (select auth.uid())));
