insert into notes (user_id, title, tags) values (:owner, 'secret', '{pinned}');
-- as other
select * from notes
