alter table s.t alter column v type text;
