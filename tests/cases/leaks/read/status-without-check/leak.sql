insert into notes (user_id, title, status) values (:owner, 'secret', 'shared');
-- as other
select * from notes
