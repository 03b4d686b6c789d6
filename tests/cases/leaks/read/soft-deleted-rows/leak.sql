insert into notes (user_id, title, deleted) values (:owner, 'secret', true);
-- as other
select * from notes
