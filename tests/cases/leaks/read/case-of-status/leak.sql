insert into notes (user_id, title, status) values (:owner, 'secret', 'open');
-- as other
select * from notes
