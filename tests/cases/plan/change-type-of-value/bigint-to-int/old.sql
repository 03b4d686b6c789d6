create table s.change as select 5000000000::bigint as c;
