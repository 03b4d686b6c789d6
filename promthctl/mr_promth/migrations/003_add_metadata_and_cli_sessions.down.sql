-- Reverses 003_add_metadata_and_cli_sessions, with all its data, the keys' metadata included.
-- promthctl: allow builds-index a user has a handful of keys
-- promthctl: allow prefer-bigint-over-int milliseconds

drop table if exists public.tool_executions;
drop table if exists public.deployment_logs;
drop table if exists public.cli_sessions;

drop index if exists public.api_keys_metadata_idx;
alter table if exists public.api_keys drop column if exists metadata;

drop function if exists public.update_cli_session_last_seen();
