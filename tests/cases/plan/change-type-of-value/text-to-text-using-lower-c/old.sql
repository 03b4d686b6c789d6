create table s.change as select 'A'::text as c;
