insert into notes (user_id, title, tags) values (:owner, 'secret', '{public}');
-- as other
select * from notes
