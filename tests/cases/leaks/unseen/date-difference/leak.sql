insert into notes (user_id, title, starts, ends) values (:owner, 'secret', '2020-01-01', '2025-01-01');
-- as other
select * from notes
