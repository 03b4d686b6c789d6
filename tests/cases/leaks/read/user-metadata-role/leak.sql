insert into notes (user_id, title) values (:owner, 'secret');
-- as other {"user_metadata": {"role": "admin"}}
select * from notes
