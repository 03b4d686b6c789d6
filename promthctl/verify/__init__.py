"""Whether a database is what its migrations make, and what it should do better.

catalog/     reads what migrations make into plain data, and compares two such readings
shadow.py    what the migrations make: applied to a throw-away Postgres, read once and kept
advice.py    what is correct and still slow or open: indexes, policies, views
"""
