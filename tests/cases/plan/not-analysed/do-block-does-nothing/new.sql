do $$ begin null; end $$;
