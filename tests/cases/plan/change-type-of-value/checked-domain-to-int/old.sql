create table s.change as select 7::s.positive as c;
