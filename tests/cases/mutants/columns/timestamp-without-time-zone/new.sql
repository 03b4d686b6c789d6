alter table public.agent_logs alter column created_at type timestamp;
