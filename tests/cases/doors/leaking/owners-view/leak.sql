-- as anon
select * from all_notes;
