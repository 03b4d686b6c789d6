do $$ begin if true then drop table s.loose; end if; end $$;
