alter table s.t alter column n type numeric(5,2);
