alter table s.t rename to t2;
