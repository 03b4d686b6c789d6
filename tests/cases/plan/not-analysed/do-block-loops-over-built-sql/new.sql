do $$ declare r record; begin for r in execute 'sel' || 'ect 1' loop null; end loop; end $$;
