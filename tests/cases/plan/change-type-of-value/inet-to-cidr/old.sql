create table s.change as select '10.0.0.1/8'::inet as c;
