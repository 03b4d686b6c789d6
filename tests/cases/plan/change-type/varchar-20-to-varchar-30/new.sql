alter table s.t alter column v type varchar(30);
