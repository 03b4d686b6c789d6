alter table s.change alter column c type timestamp;
