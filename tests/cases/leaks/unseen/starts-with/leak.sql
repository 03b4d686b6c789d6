insert into notes (user_id, title, code) values (:owner, 'secret', 'guest/a');
-- as other
select * from notes
