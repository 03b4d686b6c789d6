-- as anon
select * from listed;
