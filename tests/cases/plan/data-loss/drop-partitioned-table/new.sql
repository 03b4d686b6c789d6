drop table s.part;
