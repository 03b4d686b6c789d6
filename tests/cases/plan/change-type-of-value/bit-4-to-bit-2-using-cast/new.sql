alter table s.change alter column c type bit(2) using c::bit(2);
