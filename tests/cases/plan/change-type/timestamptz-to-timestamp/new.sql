alter table s.t alter column ts type timestamp;
