-- 003_add_metadata_and_cli_sessions: provider data on API keys, command-line sessions, deployments and tool runs.
-- Safe to run again: what exists is kept, and policies, triggers and grants are put back as written here.

-- api_keys.metadata -------------------------------------------------------------------------------

alter table public.api_keys add column if not exists metadata jsonb not null default '{}';

comment on column public.api_keys.metadata is
  'Provider-specific data; for vanchin: endpoint_id, agent_name, description, base_url.';

create index if not exists api_keys_metadata_idx on public.api_keys using gin (metadata);

-- tables ------------------------------------------------------------------------------------------

create table if not exists public.cli_sessions (
  id            uuid not null default gen_random_uuid(),
  user_id       uuid not null,
  session_token text not null,
  machine_id    text,
  machine_name  text,
  os_info       text,
  cli_version   text,
  connected_at  timestamptz not null default now(),
  last_seen_at  timestamptz not null default now(),
  status        text not null default 'connected',
  metadata      jsonb not null default '{}',
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  constraint cli_sessions_pkey primary key (id),
  constraint cli_sessions_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint cli_sessions_session_token_key unique (session_token),
  constraint cli_sessions_status_check check (status in ('connected', 'disconnected', 'error'))
);

create table if not exists public.deployment_logs (
  id                  uuid not null default gen_random_uuid(),
  project_id          uuid not null,
  deployment_url      text,
  deployment_provider text,
  deployment_status   text not null default 'pending',
  deployment_metadata jsonb not null default '{}',
  error_message       text,
  deployed_at         timestamptz,
  created_at          timestamptz not null default now(),
  updated_at          timestamptz not null default now(),
  constraint deployment_logs_pkey primary key (id),
  constraint deployment_logs_project_id_fkey foreign key (project_id) references public.projects (id) on delete cascade,
  constraint deployment_logs_deployment_status_check
    check (deployment_status in ('pending', 'deploying', 'success', 'failed'))
);

create table if not exists public.tool_executions (
  id                uuid not null default gen_random_uuid(),
  project_id        uuid not null,
  agent_log_id      uuid,
  tool_name         text not null,
  tool_parameters   jsonb not null,
  tool_result       jsonb,
  execution_status  text not null default 'pending',
  error_message     text,
  execution_time_ms integer,
  created_at        timestamptz not null default now(),
  completed_at      timestamptz,
  constraint tool_executions_pkey primary key (id),
  constraint tool_executions_project_id_fkey foreign key (project_id) references public.projects (id) on delete cascade,
  constraint tool_executions_agent_log_id_fkey
    foreign key (agent_log_id) references public.agent_logs (id) on delete cascade,
  constraint tool_executions_execution_status_check
    check (execution_status in ('pending', 'running', 'success', 'failed'))
);

comment on table public.cli_sessions is 'A connection of a user''s machine through the command-line client.';
comment on column public.cli_sessions.session_token is 'Names the connection; unique among all users.';
comment on column public.cli_sessions.last_seen_at is 'Time of the last update of the row, set by a trigger.';
comment on table public.deployment_logs is 'A deployment of a project; it belongs to the project''s owner.';
comment on column public.deployment_logs.deployed_at is 'When the deployment went live; null until then.';
comment on table public.tool_executions is 'A tool call made for a project; it belongs to the project''s owner.';
comment on column public.tool_executions.agent_log_id is 'The step of the same project that made the call, if any.';
comment on column public.tool_executions.execution_time_ms is 'Duration of the call in milliseconds.';

-- indexes: for the foreign keys, the policies and the newest-first lists --------------------------

-- Without last_seen_at and updated_at, so that a heartbeat touches no index.
create index if not exists cli_sessions_user_id_idx on public.cli_sessions (user_id);
create index if not exists deployment_logs_project_id_created_at_idx
  on public.deployment_logs (project_id, created_at desc);
create index if not exists tool_executions_project_id_created_at_idx
  on public.tool_executions (project_id, created_at desc);
create index if not exists tool_executions_agent_log_id_idx on public.tool_executions (agent_log_id);

-- last_seen_at and updated_at ---------------------------------------------------------------------

create or replace function public.update_cli_session_last_seen()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.last_seen_at = now();
  return new;
end;
$$;

comment on function public.update_cli_session_last_seen() is 'Trigger: stamps last_seen_at on every update.';

-- A trigger needs no execute right to fire, so nobody is given one.
revoke all on function public.update_cli_session_last_seen() from public, anon, authenticated, service_role;

create or replace trigger update_cli_sessions_last_seen
  before update on public.cli_sessions
  for each row execute function public.update_cli_session_last_seen();

create or replace trigger update_cli_sessions_updated_at
  before update on public.cli_sessions
  for each row execute function public.update_updated_at_column();

create or replace trigger update_deployment_logs_updated_at
  before update on public.deployment_logs
  for each row execute function public.update_updated_at_column();

-- grants ------------------------------------------------------------------------------------------

revoke all on table public.cli_sessions, public.deployment_logs, public.tool_executions
  from public, anon, authenticated;

grant select, insert, update, delete on table public.cli_sessions to authenticated;

-- Logs are appended and their status moves on; they go only with their project.
grant select, insert, update on table public.deployment_logs, public.tool_executions to authenticated;

grant all on table public.cli_sessions, public.deployment_logs, public.tool_executions to service_role;

-- row level security ------------------------------------------------------------------------------

alter table public.cli_sessions enable row level security;
alter table public.deployment_logs enable row level security;
alter table public.tool_executions enable row level security;

-- cli_sessions: the owner's
drop policy if exists cli_sessions_select_own on public.cli_sessions;
create policy cli_sessions_select_own on public.cli_sessions
  for select to authenticated
  using (user_id = (select auth.uid()));

drop policy if exists cli_sessions_insert_own on public.cli_sessions;
create policy cli_sessions_insert_own on public.cli_sessions
  for insert to authenticated
  with check (user_id = (select auth.uid()));

drop policy if exists cli_sessions_update_own on public.cli_sessions;
create policy cli_sessions_update_own on public.cli_sessions
  for update to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));

drop policy if exists cli_sessions_delete_own on public.cli_sessions;
create policy cli_sessions_delete_own on public.cli_sessions
  for delete to authenticated
  using (user_id = (select auth.uid()));

-- deployment_logs: through the project
drop policy if exists deployment_logs_select_own on public.deployment_logs;
create policy deployment_logs_select_own on public.deployment_logs
  for select to authenticated
  using (project_id = any (array(select id from public.projects where user_id = (select auth.uid()))));

drop policy if exists deployment_logs_insert_own on public.deployment_logs;
create policy deployment_logs_insert_own on public.deployment_logs
  for insert to authenticated
  with check (project_id = any (array(select id from public.projects where user_id = (select auth.uid()))));

drop policy if exists deployment_logs_update_own on public.deployment_logs;
create policy deployment_logs_update_own on public.deployment_logs
  for update to authenticated
  using (project_id = any (array(select id from public.projects where user_id = (select auth.uid()))))
  with check (project_id = any (array(select id from public.projects where user_id = (select auth.uid()))));

-- tool_executions: through the project; an agent log must be one of the same project
drop policy if exists tool_executions_select_own on public.tool_executions;
create policy tool_executions_select_own on public.tool_executions
  for select to authenticated
  using (project_id = any (array(select id from public.projects where user_id = (select auth.uid()))));

drop policy if exists tool_executions_insert_own on public.tool_executions;
create policy tool_executions_insert_own on public.tool_executions
  for insert to authenticated
  with check (
    project_id = any (array(select id from public.projects where user_id = (select auth.uid())))
    and (
      agent_log_id is null
      or exists (
        select from public.agent_logs
        where agent_logs.id = tool_executions.agent_log_id
          and agent_logs.project_id = tool_executions.project_id
      )
    )
  );

drop policy if exists tool_executions_update_own on public.tool_executions;
create policy tool_executions_update_own on public.tool_executions
  for update to authenticated
  using (project_id = any (array(select id from public.projects where user_id = (select auth.uid()))))
  with check (
    project_id = any (array(select id from public.projects where user_id = (select auth.uid())))
    and (
      agent_log_id is null
      or exists (
        select from public.agent_logs
        where agent_logs.id = tool_executions.agent_log_id
          and agent_logs.project_id = tool_executions.project_id
      )
    )
  );
