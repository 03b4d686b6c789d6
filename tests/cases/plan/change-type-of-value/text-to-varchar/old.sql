create table s.change as select 'a'::text as c;
