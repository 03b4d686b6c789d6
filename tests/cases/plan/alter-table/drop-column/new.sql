alter table s.t drop column b;
