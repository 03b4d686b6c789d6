insert into notes (user_id, title, want, have) values (:owner, 'secret', 3, 3);
-- as other
select * from notes
