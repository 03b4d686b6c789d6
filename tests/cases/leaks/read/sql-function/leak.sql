insert into notes (user_id, title, state) values (:owner, 'secret', 'lobby');
-- as other
select * from notes
