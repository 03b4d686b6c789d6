alter table s.t alter column tz type time;
