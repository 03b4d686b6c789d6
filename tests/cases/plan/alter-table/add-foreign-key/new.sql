alter table s.t add foreign key (id) references s.parent;
