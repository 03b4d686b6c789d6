create table s.x (id int);
alter table s.x rename to y;
alter table s.y add z serial;
