insert into notes (user_id, title, hidden) values (:owner, 'secret', false);
-- as other
select * from notes
