create table s.change as select 1.25::numeric(10,2) as c;
