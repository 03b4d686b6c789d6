-- 002_agent_chain_schema: projects and the log of the agents that build them.
-- Safe to run again: what exists is kept, and policies, triggers and grants are put back as written here.

-- tables ------------------------------------------------------------------------------------------

create table if not exists public.projects (
  id            uuid not null default gen_random_uuid(),
  user_id       uuid not null,
  name          text not null,
  user_prompt   text not null,
  status        text not null default 'pending',
  current_agent integer not null default 1,
  agent_outputs jsonb not null default '{}',
  final_output  jsonb,
  error_message text,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  constraint projects_pkey primary key (id),
  constraint projects_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
);

create table if not exists public.agent_logs (
  id                uuid not null default gen_random_uuid(),
  project_id        uuid not null,
  agent_number      integer not null,
  agent_name        text not null,
  status            text not null,
  input             jsonb,
  output            jsonb,
  error_message     text,
  execution_time_ms integer,
  created_at        timestamptz not null default now(),
  constraint agent_logs_pkey primary key (id),
  constraint agent_logs_project_id_fkey foreign key (project_id) references public.projects (id) on delete cascade
);

comment on table public.projects is 'What a user''s prompt becomes: one run of the agent chain.';
comment on column public.projects.current_agent is 'Number of the agent at work, from 1.';
comment on column public.projects.agent_outputs is 'What each agent has produced so far.';
comment on table public.agent_logs is 'One step of an agent in a project; it belongs to the project''s owner.';
comment on column public.agent_logs.execution_time_ms is 'Duration of the step in milliseconds.';

-- indexes: for the foreign keys, the policies and the newest-first lists --------------------------

create index if not exists projects_user_id_updated_at_idx on public.projects (user_id, updated_at desc);
create index if not exists agent_logs_project_id_created_at_idx on public.agent_logs (project_id, created_at desc);

-- updated_at --------------------------------------------------------------------------------------

create or replace trigger update_projects_updated_at
  before update on public.projects
  for each row execute function public.update_updated_at_column();

-- grants ------------------------------------------------------------------------------------------

revoke all on table public.projects, public.agent_logs from public, anon, authenticated;

grant select, insert, update, delete on table public.projects to authenticated;

-- Logs are appended and their status moves on; they go only with their project.
grant select, insert, update on table public.agent_logs to authenticated;

grant all on table public.projects, public.agent_logs to service_role;

-- row level security ------------------------------------------------------------------------------

alter table public.projects enable row level security;
alter table public.agent_logs enable row level security;

-- projects: the owner's
drop policy if exists projects_select_own on public.projects;
create policy projects_select_own on public.projects
  for select to authenticated
  using (user_id = (select auth.uid()));

drop policy if exists projects_insert_own on public.projects;
create policy projects_insert_own on public.projects
  for insert to authenticated
  with check (user_id = (select auth.uid()));

drop policy if exists projects_update_own on public.projects;
create policy projects_update_own on public.projects
  for update to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));

drop policy if exists projects_delete_own on public.projects;
create policy projects_delete_own on public.projects
  for delete to authenticated
  using (user_id = (select auth.uid()));

-- agent_logs: through the project
drop policy if exists agent_logs_select_own on public.agent_logs;
create policy agent_logs_select_own on public.agent_logs
  for select to authenticated
  using (project_id = any (array(select id from public.projects where user_id = (select auth.uid()))));

drop policy if exists agent_logs_insert_own on public.agent_logs;
create policy agent_logs_insert_own on public.agent_logs
  for insert to authenticated
  with check (project_id = any (array(select id from public.projects where user_id = (select auth.uid()))));

drop policy if exists agent_logs_update_own on public.agent_logs;
create policy agent_logs_update_own on public.agent_logs
  for update to authenticated
  using (project_id = any (array(select id from public.projects where user_id = (select auth.uid()))))
  with check (project_id = any (array(select id from public.projects where user_id = (select auth.uid()))));
