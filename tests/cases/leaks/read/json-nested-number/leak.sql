insert into notes (user_id, title, meta) values (:owner, 'secret', '{"stats": {"views": 11}}');
-- as other
select * from notes
