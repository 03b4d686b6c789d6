alter table s.t add column x int default s.vol();
