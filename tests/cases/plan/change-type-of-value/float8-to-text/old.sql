create table s.change as select 0.1::float8 as c;
