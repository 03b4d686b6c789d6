alter table s.t rename column b to bb;
alter table s.t drop column bb;
