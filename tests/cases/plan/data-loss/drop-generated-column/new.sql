alter table s.t drop column g;
