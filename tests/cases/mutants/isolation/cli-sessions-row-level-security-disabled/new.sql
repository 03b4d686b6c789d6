alter table cli_sessions disable row level security;
