alter table s.loose add x serial;
