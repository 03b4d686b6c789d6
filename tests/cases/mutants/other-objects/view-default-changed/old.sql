create view public.v as select title as a from public.chat_sessions; alter view public.v alter column a set default 'x';
