alter table s.t alter column n type numeric(10,1);
