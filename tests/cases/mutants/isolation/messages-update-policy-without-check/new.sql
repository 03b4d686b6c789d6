alter policy messages_update_own on messages with check (true);
