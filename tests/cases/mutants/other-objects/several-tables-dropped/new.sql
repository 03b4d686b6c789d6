drop table public.projects, public.agent_logs, public.deployment_logs, public.tool_executions;
