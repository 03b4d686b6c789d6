with d as (insert into docs (owner_id) values (:owner) returning id) insert into shares select id, :owner from d;
-- as other
select * from docs
