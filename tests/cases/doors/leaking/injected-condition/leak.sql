-- as mallory
select * from notes_like('%'' or true --');
