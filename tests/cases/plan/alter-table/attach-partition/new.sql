alter table s.part attach partition s.loose for values in (2);
