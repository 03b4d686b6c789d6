create table s.change as select '1:02:03.456'::time(3) as c;
