-- as mallory
select * from notes_of('a11ce000-0000-0000-0000-000000000000');
