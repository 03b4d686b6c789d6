alter table s.loose rename to old;
create table s.loose (id int);
drop table s.old;
