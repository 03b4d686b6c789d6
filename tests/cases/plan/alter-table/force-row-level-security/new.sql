alter table s.t force row level security;
