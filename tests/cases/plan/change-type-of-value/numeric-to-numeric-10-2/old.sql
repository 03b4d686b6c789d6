create table s.change as select 1.2345::numeric as c;
