alter table s.t alter column v type char(30);
