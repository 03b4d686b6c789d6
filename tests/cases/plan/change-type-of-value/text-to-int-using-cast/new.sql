alter table s.change alter column c type int using c::int;
