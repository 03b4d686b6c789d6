insert into notes (user_id, title, score) values (:owner, 'secret', 17);
-- as other
select * from notes
