insert into notes (user_id, title, score) values (:owner, 'secret', 45);
-- as other
select * from notes
