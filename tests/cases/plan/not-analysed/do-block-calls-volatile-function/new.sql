do $$ begin perform s.vol(); end $$;
