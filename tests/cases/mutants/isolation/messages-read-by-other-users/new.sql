alter policy messages_select_own on messages using (true);
