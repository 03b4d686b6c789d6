create index more on public.messages (role);
