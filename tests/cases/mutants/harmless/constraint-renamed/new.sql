alter table public.messages rename constraint messages_role_check to role_is_known;
