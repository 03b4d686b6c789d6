alter table s.t add column x int generated always as (a * 2) stored;
