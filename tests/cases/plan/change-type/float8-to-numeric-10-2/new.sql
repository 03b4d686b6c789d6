alter table s.t alter column f type numeric(10,2);
