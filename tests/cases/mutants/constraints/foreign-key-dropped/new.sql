alter table public.agent_logs drop constraint agent_logs_project_id_fkey;
