insert into notes (user_id, hot) values (:owner, true);
-- as anon
select * from notes
