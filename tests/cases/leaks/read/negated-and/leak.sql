insert into notes (user_id, title, b) values (:owner, 'secret', false);
-- as other
select * from notes
