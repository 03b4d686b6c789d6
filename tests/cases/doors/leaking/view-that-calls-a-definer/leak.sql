-- as anon
select * from titles;
