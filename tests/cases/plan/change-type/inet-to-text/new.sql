alter table s.t alter column ip type text;
