alter table public.agent_logs alter constraint agent_logs_project_id_fkey deferrable initially deferred;
