alter table public.chat_sessions alter column metadata set default jsonb '{}';
