create table s.a (id int primary key);
create table s.b (id int primary key, a_id int references s.a);
