drop table s.loose;
create table s.loose (id int);
drop table s.loose;
