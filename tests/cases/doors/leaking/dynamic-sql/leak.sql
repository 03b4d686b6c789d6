-- as anon
select * from read_table('notes');
