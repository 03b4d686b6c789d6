insert into notes (user_id, title, status) values (:owner, 'secret', 'archived');
-- as other
select * from notes
