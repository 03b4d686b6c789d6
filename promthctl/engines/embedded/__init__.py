"""The embedded engine: PostgreSQL and Supabase Lite as two detached processes of this machine, loopback only."""
