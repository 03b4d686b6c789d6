create view public.my_titles as select id, title from public.notes where user_id = auth.uid();
