alter table deployment_logs disable row level security;
