create table s.change as select 9007199254740993::bigint as c;
