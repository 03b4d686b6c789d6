alter table tool_executions disable row level security;
