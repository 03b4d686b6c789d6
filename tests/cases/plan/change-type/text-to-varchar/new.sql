alter table s.t alter column b type varchar;
