drop rule quietly on public.messages;
