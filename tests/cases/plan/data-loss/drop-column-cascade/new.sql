alter table s.t drop column free cascade;
