drop index public.cli_sessions_user_id_idx;
create index cli_sessions_user_id_idx on public.cli_sessions using hash (user_id);
