insert into notes (user_id, title, subtitle) values (:owner, 'secret', '');
-- as other
select * from notes
