-- as anon
select * from cheap();
