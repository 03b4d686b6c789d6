alter table s.t alter column tz type timestamp(0);
