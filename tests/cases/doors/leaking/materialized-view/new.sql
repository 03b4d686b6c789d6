create materialized view public.note_search as select id, title, lower(body) as words from public.notes;
