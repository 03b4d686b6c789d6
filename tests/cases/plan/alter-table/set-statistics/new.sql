alter table s.t alter a set statistics 10;
