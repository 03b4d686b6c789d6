explain analyze delete from s.child;
