alter table public.messages drop constraint messages_role_check;
