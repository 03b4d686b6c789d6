alter table s.t alter column m type varchar(10);
