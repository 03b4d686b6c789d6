alter table s.t alter column u type text;
