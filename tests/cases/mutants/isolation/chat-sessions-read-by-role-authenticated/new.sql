alter policy chat_sessions_select_own on chat_sessions using (auth.role() = 'authenticated');
