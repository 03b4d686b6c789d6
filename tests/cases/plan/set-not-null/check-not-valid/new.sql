alter table s.t add constraint k check (a is not null) not valid;
alter table s.t alter a set not null;
