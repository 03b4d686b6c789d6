create table s.part9 partition of s.part for values in (9);
