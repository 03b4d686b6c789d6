"""A push tried in a throw-away Postgres before it touches anything."""
