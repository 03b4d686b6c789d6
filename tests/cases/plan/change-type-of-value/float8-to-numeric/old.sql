create table s.change as select 0.1234567890123456::float8 as c;
