insert into notes (user_id, title, subtitle) values (:owner, 'secret', null);
-- as other
select * from notes
