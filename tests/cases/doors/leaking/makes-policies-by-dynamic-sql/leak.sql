-- as anon
select expose('notes');
select * from public.notes;
