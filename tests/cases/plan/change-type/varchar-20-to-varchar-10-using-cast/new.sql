alter table s.t alter column v type varchar(10) using v::varchar(10);
