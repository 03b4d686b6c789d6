delete from s.child where 1 = 1;
