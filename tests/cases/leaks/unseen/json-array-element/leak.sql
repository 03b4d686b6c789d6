insert into notes (user_id, title, meta) values (:owner, 'secret', '{"viewers": ["everyone"]}');
-- as other
select * from notes
