insert into tickets (user_id) values (:owner);
-- as other
insert into user_roles values (:other, 'support');
select * from tickets
