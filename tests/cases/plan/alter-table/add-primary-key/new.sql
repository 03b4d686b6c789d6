alter table s.loose add primary key (id);
