-- as anon
select * from trash();
