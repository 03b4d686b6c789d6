insert into notes (user_id, title) values (:owner, 'secret');
-- as other {"headers": {"x-tool": "backoffice"}}
select * from notes
