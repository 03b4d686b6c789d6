drop table s.t;
