do $$ begin execute 'truncate s.loose'; end $$;
