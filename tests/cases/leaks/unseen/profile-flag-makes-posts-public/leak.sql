insert into profiles values (:owner, true) on conflict (id) do update set discoverable = true; insert into posts (author_id) values (:owner);
-- as other
select * from posts
