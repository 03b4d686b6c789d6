create table s.change as select '25:00:01'::interval as c;
