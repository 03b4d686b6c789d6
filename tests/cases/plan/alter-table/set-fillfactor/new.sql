alter table s.t set (fillfactor = 70);
