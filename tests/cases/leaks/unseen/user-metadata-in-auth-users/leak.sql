insert into notes (user_id) values (:owner); update auth.users set raw_user_meta_data = '{"role": "staff"}' where id = :other;
-- as other
select * from notes
