create table s.change as select 1.2345::numeric(10,4) as c;
