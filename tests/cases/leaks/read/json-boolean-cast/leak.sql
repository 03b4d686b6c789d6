insert into notes (user_id, title, settings) values (:owner, 'secret', '{"is_public": true}');
-- as other
select * from notes
