insert into notes (user_id, kind) values (:owner, 'y2');
-- as other
select * from notes
