create table s.change as select 12345678.25::numeric(10,2) as c;
