"""A Supabase API (REST and Auth): its client, and what its failures mean."""
