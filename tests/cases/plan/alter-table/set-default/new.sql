alter table s.t alter a set default 3;
