alter table s.t alter column un type text;
