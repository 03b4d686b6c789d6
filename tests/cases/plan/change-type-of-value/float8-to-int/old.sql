create table s.change as select 1.5::float8 as c;
