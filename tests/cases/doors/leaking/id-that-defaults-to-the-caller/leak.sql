-- as mallory
select * from my_notes('a11ce000-0000-0000-0000-000000000000');
