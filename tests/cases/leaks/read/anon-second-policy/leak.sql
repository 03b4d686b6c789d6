insert into notes (user_id, title, status) values (:owner, 'secret', 'live');
-- as anon
select * from notes
