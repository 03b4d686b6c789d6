alter table s.t add column x int references s.parent;
