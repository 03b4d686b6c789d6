delete from s.child where true;
