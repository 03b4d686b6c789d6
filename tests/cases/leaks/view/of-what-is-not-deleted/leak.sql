insert into notes (user_id, title) values (:owner, 'secret');
-- as other
select 1 from live_notes where title = 'secret'
