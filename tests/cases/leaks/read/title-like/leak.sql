insert into notes (user_id, title) values (:owner, 'PUBLIC: x');
-- as other
select * from notes
