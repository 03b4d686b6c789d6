alter table s.t alter column tsp type timestamptz(3);
