alter table s.t alter column v type int using v::int;
