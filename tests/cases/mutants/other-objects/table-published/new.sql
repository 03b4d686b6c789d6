alter publication supabase_realtime add table public.api_keys;
