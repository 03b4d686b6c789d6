create table s.change as select true::boolean as c;
