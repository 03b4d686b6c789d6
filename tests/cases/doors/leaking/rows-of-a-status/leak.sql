-- as anon
select * from archive();
