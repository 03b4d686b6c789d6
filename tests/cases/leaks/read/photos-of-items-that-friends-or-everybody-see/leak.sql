with i as (insert into items (user_id, shown) values (:owner, 'friends') returning id)
  insert into photos (item_id, url) select id, 'FAKE' from i;
-- as other
select * from photos
