alter table s.change alter column c type char(5) using c::char(5);
