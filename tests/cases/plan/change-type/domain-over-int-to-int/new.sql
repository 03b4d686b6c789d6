alter table s.t alter column dp type int;
