comment on table public.messages is 'x';
comment on column public.messages.id is 'x';
comment on policy messages_select_own on public.messages is 'x';
comment on schema public is 'x';
