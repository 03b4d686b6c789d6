create table s.change as select 1.5::numeric as c;
