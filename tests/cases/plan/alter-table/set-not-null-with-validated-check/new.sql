alter table s.t alter checked set not null;
