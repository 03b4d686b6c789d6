alter policy messages_update_own on messages using (true);
