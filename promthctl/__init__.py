"""promthctl: a folder of SQL migrations becomes a running, verified, seeded Supabase."""

__version__ = "0.1.0"
