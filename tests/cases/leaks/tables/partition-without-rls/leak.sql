insert into events (user_id, at, what) values (:owner, '2026-01-01', 'secret');
-- as other
select 1 from events_new where user_id = :owner
