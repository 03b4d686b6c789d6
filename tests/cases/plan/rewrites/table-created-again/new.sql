drop table s.loose;
create table s.loose (id int);
alter table s.loose add x serial;
