insert into notes (user_id, title, price) values (:owner, 'secret', 501);
-- as other
select * from notes
