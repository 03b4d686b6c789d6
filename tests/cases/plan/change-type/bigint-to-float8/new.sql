alter table s.t alter column big type float8;
