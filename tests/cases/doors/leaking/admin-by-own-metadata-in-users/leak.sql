-- as mallory
select * from admin_users();
