with p as (insert into posts (user_id) values (:owner) returning id)
  insert into comments (post_id, body) select id, 'FAKE' from p;
-- as other
select * from comments
