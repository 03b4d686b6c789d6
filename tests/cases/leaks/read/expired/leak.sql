insert into notes (user_id, title, gone_at) values (:owner, 'secret', '2001-01-01');
-- as other
select * from notes
