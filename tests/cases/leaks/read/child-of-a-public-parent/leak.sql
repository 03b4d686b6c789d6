with p as (insert into projects (owner_id, visibility) values (:owner, 'link') returning id) insert into tasks (project_id) select id from p;
-- as other
select * from tasks
