alter table s.t alter column nn type smallint;
