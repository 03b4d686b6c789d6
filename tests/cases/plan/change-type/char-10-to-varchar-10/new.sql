alter table s.t alter column c type varchar(10);
