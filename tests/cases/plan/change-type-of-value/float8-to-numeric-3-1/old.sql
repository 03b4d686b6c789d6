create table s.change as select 1.25::float8 as c;
