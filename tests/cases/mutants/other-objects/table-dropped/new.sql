drop table public.tool_executions;
