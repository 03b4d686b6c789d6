alter table s.t alter column n type numeric(12,4);
