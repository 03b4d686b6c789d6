insert into notes (user_id, state) values (:owner, 'lost');
-- as anon
select * from notes
