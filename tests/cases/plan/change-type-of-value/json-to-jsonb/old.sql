create table s.change as select '{"a": 1}'::json as c;
