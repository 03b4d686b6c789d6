alter table s.t add column x s.positive;
