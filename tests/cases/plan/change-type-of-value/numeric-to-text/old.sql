create table s.change as select 1.25::numeric as c;
