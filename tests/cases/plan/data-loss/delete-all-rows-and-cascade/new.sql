delete from s.t;
