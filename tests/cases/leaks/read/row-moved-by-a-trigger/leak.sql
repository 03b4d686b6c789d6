insert into notes (user_id, title, archived) values (:owner, 'secret', true);
-- as other
select 1 from notes where title = 'secret'
