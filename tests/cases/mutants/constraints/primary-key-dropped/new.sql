alter table public.messages drop constraint messages_pkey;
