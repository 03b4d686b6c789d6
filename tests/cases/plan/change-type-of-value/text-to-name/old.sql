create table s.change as select repeat('x', 80)::text as c;
