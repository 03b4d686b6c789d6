alter table s.t alter column c type text;
