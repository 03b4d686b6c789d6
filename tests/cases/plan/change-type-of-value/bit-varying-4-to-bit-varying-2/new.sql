alter table s.change alter column c type bit varying(2);
