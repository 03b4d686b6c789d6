alter table s.t add constraint k check (id > 0) not valid;
