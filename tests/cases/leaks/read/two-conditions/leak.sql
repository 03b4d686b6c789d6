insert into notes (user_id, title, status, price) values (:owner, 'secret', 'sold', 1);
-- as other
select * from notes
