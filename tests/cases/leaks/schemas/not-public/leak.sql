insert into app.diary (user_id) values (:owner);
-- as other
select * from app.diary
