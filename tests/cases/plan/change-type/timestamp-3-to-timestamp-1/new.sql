alter table s.t alter column tsp type timestamp(1);
