insert into inboxes (name, user_id) values ('ada', :owner);
-- as other
with taken as (update inboxes set user_id = :other returning 1) select 1 from taken
