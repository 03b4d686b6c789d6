with s as (insert into spaces (owner_id, mode) values (:owner, 'fair') returning id), b as (insert into boards (space_id) select id from s returning id) insert into cards (board_id) select id from b;
-- as other
select * from cards
