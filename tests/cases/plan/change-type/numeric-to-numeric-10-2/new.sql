alter table s.t alter column anyn type numeric(10,2);
