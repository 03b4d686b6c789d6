alter table s.change alter column c type numeric(12,4);
