alter table s.t alter column big type numeric(10,2);
