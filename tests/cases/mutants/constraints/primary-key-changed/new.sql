alter table public.messages drop constraint messages_pkey,
  add constraint messages_pkey primary key (id, session_id);
