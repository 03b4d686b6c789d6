do $$ begin execute format('drop table %I', 'x'); end $$;
