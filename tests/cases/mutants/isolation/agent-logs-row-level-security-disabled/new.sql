alter table agent_logs disable row level security;
