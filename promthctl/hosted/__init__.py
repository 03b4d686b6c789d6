"""Supabase's cloud: the CLI's profile, the Management API, a project, a temporary database role."""
