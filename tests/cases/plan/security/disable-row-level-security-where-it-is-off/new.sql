alter table s.child disable row level security;
