-- as anon
select * from surface;
