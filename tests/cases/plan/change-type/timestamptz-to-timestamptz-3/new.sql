alter table s.t alter column ts type timestamptz(3);
