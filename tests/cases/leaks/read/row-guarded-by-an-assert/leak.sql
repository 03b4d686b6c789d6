insert into notes (user_id, title) values (:owner, 'secret');
-- as other
update notes set title = 'x'
