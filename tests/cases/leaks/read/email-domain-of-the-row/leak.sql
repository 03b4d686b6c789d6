insert into notes (user_id, title, contact) values (:owner, 'secret', 'me@acme.com');
-- as other
select * from notes
