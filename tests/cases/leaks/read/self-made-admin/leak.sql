insert into tickets (user_id) values (:owner); insert into profiles (id) values (:other) on conflict do nothing;
-- as other
update profiles set is_admin = true where id = :other;
select * from tickets
