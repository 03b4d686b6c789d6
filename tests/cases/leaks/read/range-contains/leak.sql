insert into notes (user_id, title, valid) values (:owner, 'secret', '[40,50)');
-- as other
select * from notes
