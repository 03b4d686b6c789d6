create table s.change as select 7::oid as c;
