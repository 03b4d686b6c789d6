alter table s.t add column x int unique;
