revoke select on public.cli_sessions from authenticated;
grant select (id, user_id, session_token, machine_id, machine_name, os_info, cli_version, connected_at,
  last_seen_at, status, metadata) on public.cli_sessions to authenticated;
