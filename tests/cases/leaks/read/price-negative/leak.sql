insert into notes (user_id, title, price) values (:owner, 'secret', -3);
-- as other
select * from notes
