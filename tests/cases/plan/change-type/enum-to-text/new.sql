alter table s.t alter column m type text;
