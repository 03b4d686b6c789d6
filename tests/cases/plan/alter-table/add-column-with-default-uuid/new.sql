alter table s.t add column x uuid default gen_random_uuid();
