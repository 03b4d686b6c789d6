insert into notes (user_id, title, meta) values (:owner, 'secret', '{"visibility": "public"}');
-- as other
select * from notes
