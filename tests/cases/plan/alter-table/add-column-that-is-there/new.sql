alter table s.t add column if not exists a int;
