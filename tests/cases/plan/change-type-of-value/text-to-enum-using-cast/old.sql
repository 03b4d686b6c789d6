create table s.change as select 'ok'::text as c;
