create table s.change as select 'abc'::char(9) as c;
