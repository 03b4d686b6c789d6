insert into notes (user_id, title, price, quantity) values (:owner, 'secret', 1000, 5);
-- as other
select * from notes
