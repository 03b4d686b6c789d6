alter publication supabase_realtime drop table public.messages;
