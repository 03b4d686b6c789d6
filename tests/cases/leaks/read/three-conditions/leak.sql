insert into notes (user_id, title, a, b, c) values (:owner, 'secret', 'k', 78, true);
-- as other
select * from notes
