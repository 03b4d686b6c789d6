create table s.change as select '42'::text as c;
