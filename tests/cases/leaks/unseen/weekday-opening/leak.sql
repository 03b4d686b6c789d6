insert into notes (user_id, title, opens_at) values (:owner, 'secret', '1999-05-05');
-- as other
select * from notes
