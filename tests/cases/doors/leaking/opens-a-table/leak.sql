-- as anon
select repair();
select * from public.notes;
