insert into settings values ('open', 'on');
insert into notes (user_id, title) values (:owner, 'secret');
-- as other
select * from notes
