"""SQL that leads from one schema to another, drafted by the Supabase CLI and proven in a throw-away database.

echoes.py       what the engine writes anew although it is the same
engine.py       the engine's SQL run in throw-away databases, completed by SQL of schema/, what is left listed
unread.py       objects that nobody compares, by their names
differences.py  promthctl diff: from what the migrations make to what a target has
undoing.py      down scripts: the SQL back, with comments where it cannot bring rows back
"""
