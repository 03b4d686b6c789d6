insert into log (user_id, level) values (:owner, 'debug');
-- as other
select * from log
