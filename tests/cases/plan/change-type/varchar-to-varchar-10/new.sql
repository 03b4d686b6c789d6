alter table s.t alter column un type varchar(10);
