-- as mallory
select * from api.notes_of('a11ce000-0000-0000-0000-000000000000');
