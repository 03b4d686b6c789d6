create table s.change as select 'abc'::text as c;
