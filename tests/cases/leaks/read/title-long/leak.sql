insert into notes (user_id, title, body) values (:owner, 'secret', repeat('x', 201));
-- as other
select * from notes
