with d as (insert into docs (user_id) values (:owner) returning id) insert into labels (doc_id, name) select id, 'handbook' from d;
-- as other
select * from docs
