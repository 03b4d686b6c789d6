alter table s.b alter a_id type bigint;
