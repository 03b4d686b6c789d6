delete from s.child where id > 0;
