alter table s.t alter column nn type numeric(5,2);
