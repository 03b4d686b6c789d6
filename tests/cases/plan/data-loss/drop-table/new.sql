drop table s.loose;
