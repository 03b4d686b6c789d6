insert into notes (user_id, title, b) values (:owner, 'secret', 9001);
-- as other
select * from notes
