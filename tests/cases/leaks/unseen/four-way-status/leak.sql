insert into notes (user_id, title, status) values (:owner, 'secret', 'zzz');
-- as other
select * from notes
