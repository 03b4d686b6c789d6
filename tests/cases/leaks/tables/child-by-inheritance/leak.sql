insert into old_notes (user_id, closed) values (:owner, true);
-- as other
select * from old_notes
