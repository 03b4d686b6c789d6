insert into notes (user_id, title, status) values (:owner, 'secret', 'other');
-- as other
select * from notes
