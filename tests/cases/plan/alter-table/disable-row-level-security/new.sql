alter table s.t disable row level security;
