insert into notes (user_id, title, status) values (:owner, 'x', 'free');
-- as other
update notes set user_id = :other
