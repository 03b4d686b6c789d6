alter table s.t alter column f type int;
