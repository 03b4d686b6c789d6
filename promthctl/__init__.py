"""promthctl: a folder of SQL migrations becomes a running, verified, seeded Supabase."""

__version__ = "0.2.0"
