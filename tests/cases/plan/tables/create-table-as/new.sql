create table s.new as select * from s.t;
