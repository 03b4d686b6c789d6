alter table chat_sessions disable row level security;
