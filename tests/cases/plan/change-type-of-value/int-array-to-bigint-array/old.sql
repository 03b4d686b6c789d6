create table s.change as select '{1,70000}'::int[] as c;
