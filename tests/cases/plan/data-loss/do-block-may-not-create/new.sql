do $$ begin create table s.loose (i int); exception when duplicate_table then null; end $$;
drop table s.loose;
