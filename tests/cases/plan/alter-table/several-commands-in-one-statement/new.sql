alter table s.t add column x int, drop column j, alter column big type int;
