insert into notes (user_id, title, status) values (:owner, 'x', 'b2');
-- as other
update notes set title = 'y'
