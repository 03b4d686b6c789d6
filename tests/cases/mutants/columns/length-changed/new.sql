alter table public.chat_sessions alter column title type varchar(100);
