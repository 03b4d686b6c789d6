alter policy messages_insert_own on messages with check (true);
