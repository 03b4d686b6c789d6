alter table s.t alter column b type text using lower(b);
