insert into notes (user_id, title, state) values (:owner, 'secret', 'z9');
-- as other
select * from notes
