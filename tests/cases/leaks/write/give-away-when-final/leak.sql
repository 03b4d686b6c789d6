insert into notes (user_id, title) values (:other, 'x');
-- as other
update notes set user_id = :owner, status = 'final'
