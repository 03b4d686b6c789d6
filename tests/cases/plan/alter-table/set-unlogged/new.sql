alter table s.loose set unlogged;
