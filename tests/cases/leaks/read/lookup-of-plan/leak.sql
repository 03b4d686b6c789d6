insert into plans values ('f', true);
insert into notes (user_id, title, plan) values (:owner, 'secret', 'f');
-- as other
select * from notes
