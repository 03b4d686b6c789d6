alter table s.t validate constraint known;
