insert into notes (user_id, title, level) values (:owner, 'secret', 'low');
-- as other
select * from notes
