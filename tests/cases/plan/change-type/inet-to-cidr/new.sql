alter table s.t alter column ip type cidr;
