create table s.change as select 7::int as c;
