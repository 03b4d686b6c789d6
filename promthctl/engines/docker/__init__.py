"""The Docker engine: the official stack, by the real `supabase start`, watched and explained through the Docker SDK."""
