do $$ begin delete from s.child where id = 1; create table if not exists s.x (i int); end $$;
