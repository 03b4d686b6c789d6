-- as mallory
select user_id_of('alice@example.com');
