insert into notes (user_id, title, price) values (:owner, 'secret', 101);
-- as other
select * from notes
