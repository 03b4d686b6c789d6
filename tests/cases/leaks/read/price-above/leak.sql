insert into notes (user_id, title, price) values (:owner, 'secret', 150);
-- as other
select * from notes
