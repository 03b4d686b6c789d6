create table if not exists s.loose (id int);
alter table s.loose add x serial;
