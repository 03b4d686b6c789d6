insert into notes (user_id, title) values (:owner, 'secret');
-- as other
select 1 from my_notes(:owner)
