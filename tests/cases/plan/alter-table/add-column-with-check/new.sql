alter table s.t add column x int check (x > 0);
