-- as anon
refresh materialized view public.note_search; set local role anon; select * from note_search;
