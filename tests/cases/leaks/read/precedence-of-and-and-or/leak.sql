insert into notes (user_id, team, shared) values (:owner, 'blue', true);
-- as other
select * from notes
