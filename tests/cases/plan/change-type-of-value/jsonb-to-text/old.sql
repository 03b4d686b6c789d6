create table s.change as select '{"a": 1.5}'::jsonb as c;
