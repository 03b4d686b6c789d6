alter publication supabase_realtime drop table public.messages;
alter publication supabase_realtime add table public.messages (id);
