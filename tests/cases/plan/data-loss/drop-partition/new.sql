drop table s.part1;
