alter table s.t alter nn drop not null;
