create table s.change as select 0.1234567890123::float8 as c;
