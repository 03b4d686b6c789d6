alter table s.t add constraint k check (free is not null);
alter table s.t alter a set not null;
