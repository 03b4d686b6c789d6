insert into notes (user_id, title) values (:owner, 'secret');
-- as other
select 1 from note_log where title = 'secret'
