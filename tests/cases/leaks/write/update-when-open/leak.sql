insert into notes (user_id, title, status) values (:owner, 'x', 'open');
-- as other
update notes set title = 'mine now'
