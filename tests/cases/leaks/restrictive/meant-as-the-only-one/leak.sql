insert into notes (user_id, state) values (:owner, 'kept');
-- as other
select * from notes
