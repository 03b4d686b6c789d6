insert into notes (user_id, title, status) values (:owner, 'secret', 'lost');
-- as other
select * from notes
