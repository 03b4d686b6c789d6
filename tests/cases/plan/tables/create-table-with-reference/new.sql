create table s.new (id int references s.t);
