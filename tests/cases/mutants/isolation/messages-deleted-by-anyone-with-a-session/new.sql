alter policy messages_delete_own on messages
  using (exists (select from chat_sessions where user_id = (select auth.uid())));
