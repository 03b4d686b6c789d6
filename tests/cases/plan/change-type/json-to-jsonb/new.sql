alter table s.t alter column j type jsonb;
