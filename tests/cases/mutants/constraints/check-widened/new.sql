alter table public.messages drop constraint messages_role_check,
  add constraint messages_role_check check (role in ('user', 'assistant', 'system', 'tool'));
