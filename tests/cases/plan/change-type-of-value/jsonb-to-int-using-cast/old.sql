create table s.change as select '1.5'::jsonb as c;
