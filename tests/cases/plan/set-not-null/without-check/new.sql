select 1;
alter table s.t alter a set not null;
