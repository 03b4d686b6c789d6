insert into s.child values (99, 1);
