create table s.x (i int);
insert into s.x values (1);
truncate s.x;
alter table s.x drop i;
drop table s.x;
