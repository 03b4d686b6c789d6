insert into notes (user_id, title, ends_at) values (:owner, 'x', '2001-01-01');
-- as other
delete from notes
