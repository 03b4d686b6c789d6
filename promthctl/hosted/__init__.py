"""Supabase's cloud, or another that speaks the same API.

profile         the CLI's profile: which cloud
management      the Management API: the access token, one request
project         a project: its name, state and pooler
temporary_role  a database role for some minutes, without the database's password
"""
