insert into notes (user_id, stage) values (:owner, 'final');
-- as other
select * from notes
