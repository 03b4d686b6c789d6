alter table s.t alter column big type int;
