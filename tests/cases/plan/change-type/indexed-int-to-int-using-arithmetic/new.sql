alter table s.t alter column nn type int using nn + 1;
