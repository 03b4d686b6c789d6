insert into notes (user_id, title, code) values (:owner, 'secret', 'X-77');
-- as other
select * from notes
