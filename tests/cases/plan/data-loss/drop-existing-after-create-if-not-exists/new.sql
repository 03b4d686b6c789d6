create table if not exists s.loose (id int);
drop table s.loose;
