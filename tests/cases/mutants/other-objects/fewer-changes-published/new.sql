alter publication supabase_realtime set (publish = 'insert');
