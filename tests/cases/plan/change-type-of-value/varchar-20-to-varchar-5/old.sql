create table s.change as select 'twelve chars'::varchar(20) as c;
