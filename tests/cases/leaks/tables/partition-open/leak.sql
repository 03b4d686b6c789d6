insert into events (user_id) values (:owner);
-- as other
select * from events_2026
