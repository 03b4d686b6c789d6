"""SQL that leads from one schema to another, drafted by the Supabase CLI and proven in a throw-away database.

engine.py       the engine's SQL run where it is taken back, completed by SQL of schema/, what is left listed
differences.py  promthctl diff: from what the migrations make to what a target has
"""
