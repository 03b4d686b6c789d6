insert into notes (user_id, title, meta) values (:owner, 'secret', '{"flags": {"open": "yes"}}');
-- as other
select * from notes
