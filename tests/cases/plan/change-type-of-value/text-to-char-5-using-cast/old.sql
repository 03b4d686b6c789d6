create table s.change as select 'twelve chars'::text as c;
