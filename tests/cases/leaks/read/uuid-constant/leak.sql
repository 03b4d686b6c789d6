insert into notes (user_id, title, team) values (:owner, 'secret', '11111111-1111-1111-1111-111111111111');
-- as other
select * from notes
