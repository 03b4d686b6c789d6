alter table s.t add column x timestamptz default now();
