create table s.change as select 16777217::int as c;
