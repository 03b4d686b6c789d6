insert into notes (user_id, title, meta) values (:owner, 'secret', '{"share": {"all": true}}');
-- as other
select * from notes
