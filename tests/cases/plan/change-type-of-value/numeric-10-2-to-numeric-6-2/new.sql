alter table s.change alter column c type numeric(6,2);
