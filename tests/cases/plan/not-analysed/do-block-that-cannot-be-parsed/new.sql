do $$ begin this is not SQL; end $$;
