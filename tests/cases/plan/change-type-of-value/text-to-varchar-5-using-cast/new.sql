alter table s.change alter column c type varchar(5) using c::varchar(5);
