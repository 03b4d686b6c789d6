insert into notes (user_id, title, status) values (:owner, 'secret', 'queued');
-- as other
select * from notes
