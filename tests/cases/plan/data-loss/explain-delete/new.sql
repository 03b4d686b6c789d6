explain delete from s.child;
