alter table s.t add x int;
update s.t set x = 1;
