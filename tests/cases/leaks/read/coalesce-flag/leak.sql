insert into notes (user_id, title, hidden) values (:owner, 'secret', null);
-- as other
select * from notes
