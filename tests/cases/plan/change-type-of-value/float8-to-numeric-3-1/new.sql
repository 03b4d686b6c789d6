alter table s.change alter column c type numeric(3,1);
