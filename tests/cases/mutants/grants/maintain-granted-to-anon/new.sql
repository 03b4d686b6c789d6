grant maintain on public.messages to anon;
