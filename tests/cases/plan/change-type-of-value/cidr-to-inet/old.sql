create table s.change as select '10.0.0.0/8'::cidr as c;
