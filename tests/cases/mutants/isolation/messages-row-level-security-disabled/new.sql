alter table messages disable row level security;
