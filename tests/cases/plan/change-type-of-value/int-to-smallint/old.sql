create table s.change as select 70000::int as c;
