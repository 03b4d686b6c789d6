revoke all on public.messages from anon;
