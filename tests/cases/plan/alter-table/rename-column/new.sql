alter table s.t rename column a to aa;
