drop table s.t cascade;
