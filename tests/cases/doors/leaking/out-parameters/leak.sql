-- as anon
select * from newest_note();
