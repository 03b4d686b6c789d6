alter table s.t alter nn set not null;
