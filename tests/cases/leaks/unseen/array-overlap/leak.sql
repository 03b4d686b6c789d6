insert into notes (user_id, title, tags) values (:owner, 'secret', '{sample}');
-- as other
select * from notes
