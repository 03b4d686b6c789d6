insert into notes (user_id, title, viewers) values (:owner, 'secret', '{}');
-- as other
select * from notes
