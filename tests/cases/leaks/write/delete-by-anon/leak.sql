insert into notes (user_id, title) values (:owner, 'tmp');
-- as anon
delete from notes
