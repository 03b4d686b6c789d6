alter table s.t alter column nn type text using nn::text;
