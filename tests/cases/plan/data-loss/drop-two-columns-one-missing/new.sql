alter table s.t drop b, drop column if exists nope;
