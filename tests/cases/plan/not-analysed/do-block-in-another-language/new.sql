do language plpython3u $$ x $$;
