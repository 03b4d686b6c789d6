alter table s.t alter a set not null;
