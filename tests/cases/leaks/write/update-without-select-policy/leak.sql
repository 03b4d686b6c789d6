insert into notes (user_id, title) values (:owner, 'todo');
-- as other
update notes set title = 'gone'
