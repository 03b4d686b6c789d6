alter table public.messages drop constraint messages_session_id_fkey,
  add constraint messages_session_id_fkey foreign key (session_id) references public.chat_sessions (id);
