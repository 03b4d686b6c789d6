insert into notes (user_id, title) values (:owner, 'secret');
-- as other {"user_metadata": {"staff": true}}
select * from notes
