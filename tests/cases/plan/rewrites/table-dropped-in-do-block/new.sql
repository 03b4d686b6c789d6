do $$ begin drop table s.loose; end $$;
alter table s.loose add x serial;
