-- as mallory
select * from find_user('alice@example.com');
