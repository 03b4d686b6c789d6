drop table s.parent, s.loose cascade;
