alter policy messages_delete_own on messages using (true);
