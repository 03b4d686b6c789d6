alter table s.a alter id type bigint;
