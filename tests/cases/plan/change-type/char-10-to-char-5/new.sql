alter table s.t alter column c type char(5);
