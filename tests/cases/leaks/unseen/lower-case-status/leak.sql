insert into notes (user_id, title, status) values (:owner, 'secret', 'OPEN HOUSE');
-- as other
select * from notes
