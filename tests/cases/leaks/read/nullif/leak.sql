insert into notes (user_id, title, status) values (:owner, 'secret', 'free');
-- as other
select * from notes
