alter table s.change alter column c type numeric(5,2);
