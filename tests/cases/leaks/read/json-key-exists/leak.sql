insert into notes (user_id, title, meta) values (:owner, 'secret', '{"shared_at": 1}');
-- as other
select * from notes
