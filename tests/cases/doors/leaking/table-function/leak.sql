-- as anon
select * from list_users();
