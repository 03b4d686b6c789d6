insert into notes (user_id, title, tags) values (:owner, 'secret', '{a,b,c}');
-- as other
select * from notes
