insert into notes (user_id, title, score) values (:owner, 'x', -5);
-- as other
delete from notes
