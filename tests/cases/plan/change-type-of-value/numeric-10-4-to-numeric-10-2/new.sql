alter table s.change alter column c type numeric(10,2);
