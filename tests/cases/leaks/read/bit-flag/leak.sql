insert into notes (user_id, title, flags) values (:owner, 'secret', 4);
-- as other
select * from notes
