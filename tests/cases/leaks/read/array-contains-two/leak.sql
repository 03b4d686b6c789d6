insert into notes (user_id, title, tags) values (:owner, 'secret', '{open,house}');
-- as other
select * from notes
