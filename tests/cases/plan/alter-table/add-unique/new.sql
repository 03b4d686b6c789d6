alter table s.t add constraint k unique (a);
