alter table public.chat_sessions alter column title set default 'Chat';
