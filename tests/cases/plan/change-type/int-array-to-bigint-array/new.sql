alter table s.t alter column arr type bigint[];
