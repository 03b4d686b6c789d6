alter table s.t add column x serial;
