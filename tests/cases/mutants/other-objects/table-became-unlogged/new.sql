alter table public.tool_executions set unlogged;
