"""`promthctl types`: the schema as types of a programming language, from a target or from the migrations.

The Supabase CLI writes them; here is where the database comes from, and when a file is written.
"""
