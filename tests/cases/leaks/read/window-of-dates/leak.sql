insert into notes (user_id, title, starts, ends) values (:owner, 'secret', '2001-01-01', '2200-01-01');
-- as other
select * from notes
