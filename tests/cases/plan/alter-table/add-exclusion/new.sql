alter table s.t add constraint k exclude (a with =);
