select count(*) from s.t;
