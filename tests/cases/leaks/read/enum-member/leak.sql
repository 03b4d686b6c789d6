insert into notes (user_id, title, kind) values (:owner, 'secret', 'shared');
-- as other
select * from notes
