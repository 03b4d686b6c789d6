alter table s.t add column x int default 1 references s.parent;
