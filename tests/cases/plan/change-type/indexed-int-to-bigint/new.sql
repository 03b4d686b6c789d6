alter table s.t alter column nn type bigint;
