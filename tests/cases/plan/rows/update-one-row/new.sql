update s.t set b = 'x' where id = 1;
