insert into notes (user_id, title, meta) values (:owner, 'secret', '{"a": "x", "b": 9}');
-- as other
select * from notes
