create table s.change as select 'Abc'::text as c;
