insert into notes (user_id, title) values (:owner, 'secret');
-- as other {"is_anonymous": true}
select * from notes
