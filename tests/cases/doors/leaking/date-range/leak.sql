-- as anon
select * from notes_between('2000-01-01', '2100-01-01');
