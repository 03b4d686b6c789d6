-- as mallory
select delete_account('a11ce000-0000-0000-0000-000000000000');
