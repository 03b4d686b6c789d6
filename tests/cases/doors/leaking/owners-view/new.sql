create view public.all_notes as select id, title, body from public.notes;
