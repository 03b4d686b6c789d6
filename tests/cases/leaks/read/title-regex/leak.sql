insert into notes (user_id, title, code) values (:owner, 'secret', 'OPEN-123');
-- as other
select * from notes
