alter table s.t alter column nn type s.positive;
