alter table projects disable row level security;
