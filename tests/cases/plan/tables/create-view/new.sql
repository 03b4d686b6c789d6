create view s.v2 as select * from s.t;
